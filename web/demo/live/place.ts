import { useEffect } from 'react';
import type { Pages } from '../api/use-pages';

/** `sessionStorage` is a tab's own. */
const KEY = 'plaza.place';
/** Who was further down than so many posts begins at the top again: each page is a request. */
const DEEPEST = 160;

/** Where the reader was: a post, and how far below the window's upper edge it began. */
interface Place {
  id: string;
  top: number;
}

/** The post at the upper edge of the window; null at the top of the page, where a reload begins. */
function here(): Place | null {
  if (scrollY < innerHeight / 2) return null;
  for (const row of document.querySelectorAll<HTMLElement>('[data-place]')) {
    const { top, bottom } = row.getBoundingClientRect();
    if (bottom > 0) return { id: row.dataset['place'] ?? '', top };
  }
  return null;
}

function keep(): void {
  try {
    const place = here();
    if (place) sessionStorage.setItem(KEY, JSON.stringify(place));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage is closed: a reload begins at the top.
  }
}

/** What the page before this one has kept, if this is that page again. */
function kept(): Place | null {
  try {
    const [navigation] = performance.getEntriesByType('navigation');
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    const { type } = navigation as PerformanceNavigationTiming;
    const isAgain = type === 'reload' || type === 'back_forward';
    return isAgain && location.pathname === '/' ? (JSON.parse(text ?? 'null') as Place) : null;
  } catch {
    return null;
  }
}

let wanted = kept();

/** Who goes somewhere meanwhile is left alone. */
for (const moved of ['wheel', 'touchmove', 'keydown', 'pointerdown'])
  addEventListener(moved, () => (wanted = null), { once: true, passive: true });

/**
 * A reload leaves the reader of a list where they were, with what is new above it. The rows of the
 * list have the ids of their posts as `data-place`.
 */
export function useKeptPlace<Data, Edge>(pages: Pages<Data, Edge>): void {
  const { edges, fetching, hasMore, loadMore, loadingMore, moreError } = pages;
  useEffect(() => {
    // A tab in the background may end without another word.
    const hide = () => document.visibilityState === 'hidden' && keep();
    addEventListener('pagehide', keep);
    document.addEventListener('visibilitychange', hide);
    return () => {
      removeEventListener('pagehide', keep);
      document.removeEventListener('visibilitychange', hide);
      // Another page is shown: its reload is its own.
      wanted = null;
      sessionStorage.removeItem(KEY);
    };
  }, []);
  const length = edges?.length ?? 0;
  useEffect(() => {
    if (!wanted || length === 0 || fetching || loadingMore) return;
    const row = document.querySelector(`[data-place="${CSS.escape(wanted.id)}"]`);
    if (row) scrollBy({ top: row.getBoundingClientRect().top - wanted.top, behavior: 'instant' });
    else if (hasMore && !moreError && length < DEEPEST) return loadMore();
    wanted = null;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what has come is what makes a difference
  }, [length, fetching, loadingMore]);
}
