import { useCallback, useState } from 'react';
import { useMe } from '../me';

/** Texts that are too old to be wanted any more go when the tab does: `sessionStorage` is a tab's own. */
const PREFIX = 'plaza.draft.';

function stored(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

function store(key: string, text: string): void {
  try {
    if (text.trim() === '') sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // Storage that is full or closed: the text is on the page all the same.
  }
}

export interface Draft {
  text: string;
  set: (text: string) => void;
  /** This much of it was taken by plaza: what was typed after it stays. */
  sent: (text: string) => void;
}

/** What somebody is writing at one place; it outlives the page, a reload and the end of a session. */
export function useDraft(place: string): Draft {
  const key = `${PREFIX}${useMe()?.userId ?? ''}.${place}`;
  const [text, show] = useState(() => stored(key));
  const set = useCallback(
    (next: string) => {
      store(key, next);
      show(next);
    },
    [key],
  );
  const sent = useCallback(
    (taken: string) =>
      show((now) => {
        const left = now.startsWith(taken) ? now.slice(taken.length).trimStart() : now;
        store(key, left);
        return left;
      }),
    [key],
  );
  return { text, set, sent };
}
