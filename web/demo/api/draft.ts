import { useCallback, useSyncExternalStore } from 'react';
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

/** As they are shown: where storage is closed they hold until the page goes. */
const shown = new Map<string, string>();
const listeners = new Set<() => void>();

function read(key: string): string {
  const known = shown.get(key);
  if (known !== undefined) return known;
  const text = stored(key);
  shown.set(key, text);
  return text;
}

function write(key: string, text: string): void {
  shown.set(key, text);
  store(key, text);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** This much of a draft was taken by plaza: what was typed after it stays. */
export function draftSent(key: string, taken: string): void {
  const now = read(key);
  if (now.startsWith(taken)) write(key, now.slice(taken.length).trimStart());
}

/** What else belongs to a draft, as text. */
export function draftOf(key: string): { read: () => string; write: (text: string) => void } {
  return { read: () => read(key), write: (text) => write(key, text) };
}

export interface Draft {
  key: string;
  text: string;
  set: (text: string) => void;
}

/** The name of what this person is writing at one place, also after a reload. */
export function useDraftKey(place: string): string {
  return `${PREFIX}${useMe()?.userId ?? ''}.${place}`;
}

/** What somebody is writing at one place; it outlives the page, a reload and the end of a session. */
export function useDraft(place: string): Draft {
  const key = useDraftKey(place);
  const text = useSyncExternalStore(subscribe, () => read(key));
  const set = useCallback((next: string) => write(key, next), [key]);
  return { key, text, set };
}
