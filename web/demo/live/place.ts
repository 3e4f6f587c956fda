/** Where a reader of home was: a post, and how far below the window's upper edge it began. */
export interface Place {
  id: string;
  top: number;
}

/** `sessionStorage` is a tab's own. */
const KEY = 'plaza.place';

/** What the page before this one has kept, if this is that page again. */
function read(): Place | null {
  try {
    const text = sessionStorage.getItem(KEY) ?? 'null';
    sessionStorage.removeItem(KEY);
    const [navigation] = performance.getEntriesByType('navigation');
    const isNew = (navigation as PerformanceNavigationTiming).type === 'navigate';
    return isNew || location.pathname !== '/' ? null : (JSON.parse(text) as Place | null);
  } catch {
    return null;
  }
}

let kept = read();
// The browser would go where so many pixels are, with posts above it that were not there.
if (kept) history.scrollRestoration = 'manual';

/** What was kept, once. */
export function takePlace(): Place | null {
  const place = kept;
  kept = null;
  return place;
}

/** Keeps the post at the window's upper edge; at the top nothing, where a reload begins anyway. */
export function keepPlace(): void {
  const rows = document.querySelectorAll<HTMLElement>('[data-place]');
  const row = [...rows].find((each) => each.getBoundingClientRect().bottom > 0);
  if (!row || scrollY < innerHeight / 2) return;
  const place = { id: row.dataset['place'], top: row.getBoundingClientRect().top };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(place));
  } catch {
    // Storage is closed: a reload begins at the top.
  }
}
