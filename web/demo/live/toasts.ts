import { useSyncExternalStore } from 'react';

/** A line that says what became of something the reader did. */
export interface Toast {
  key: number;
  kind: 'done' | 'failed';
  text: string;
  /** What can be done about it, or next. */
  action?: { label: string; run: () => void };
}

/** More would cover the page. */
const MOST = 3;
const DONE_MS = 6_000;
const FAILED_MS = 20_000;

let toasts: readonly Toast[] = [];
let next = 0;
const listeners = new Set<() => void>();

function change(now: readonly Toast[]): void {
  toasts = now;
  for (const listener of listeners) listener();
}

export function dismiss(key: number): void {
  change(toasts.filter((toast) => toast.key !== key));
}

/** Shows a line; the same words are not shown twice at once. */
export function toast(kind: Toast['kind'], text: string, action?: Toast['action']): void {
  const key = next++;
  const others = toasts.filter((toast) => toast.text !== text).slice(1 - MOST);
  change([...others, { key, kind, text, ...(action && { action }) }]);
  setTimeout(() => dismiss(key), kind === 'done' ? DONE_MS : FAILED_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(subscribe, () => toasts);
}
