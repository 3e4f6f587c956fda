/** What the client keeps between restarts. `localStorage` is one. */
export interface Store {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Mutual exclusion between everything that shares a store. `navigator.locks` is one. */
export interface Locks {
  request<Result>(name: string, action: () => Promise<Result>): Promise<Result>;
}

/** A store that ends with the process. */
export class MemoryStore implements Store {
  readonly #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

/** Locks within one process: for Node, and for pages where `navigator.locks` is missing. */
export class LocalLocks implements Locks {
  readonly #last = new Map<string, Promise<unknown>>();

  request<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(action, action);
    this.#last.set(name, turn);
    return turn;
  }
}

/** `localStorage` in a browser that allows it, memory elsewhere. */
export function defaultStore(): Store {
  try {
    // Node has one only with a flag; a browser that refuses storage throws here.
    if (typeof window !== 'undefined') return window.localStorage;
  } catch {
    // Refused by the browser.
  }
  return new MemoryStore();
}

/** `sessionStorage` in a browser that allows it, memory elsewhere. */
export function tabStore(): Store {
  try {
    if (typeof window !== 'undefined') return window.sessionStorage;
  } catch {
    // Refused by the browser.
  }
  return new MemoryStore();
}

/** False where the device says that it has no network. */
export function hasNetwork(): boolean {
  return typeof navigator === 'undefined' || (navigator as Partial<Navigator>).onLine !== false;
}

export function defaultLocks(): Locks {
  const locks =
    typeof navigator === 'undefined' ? undefined : (navigator as Partial<Navigator>).locks;
  if (!locks) return new LocalLocks();
  // TypeScript's type forgets that the result is awaited.
  const request = (name: string, action: () => Promise<unknown>) => locks.request(name, action);
  return { request: request as Locks['request'] };
}

/** Calls back when the browser reports a network; elsewhere never. */
export function onOnline(listener: () => void): () => void {
  if (typeof window === 'undefined') return () => undefined;
  window.addEventListener('online', listener);
  return () => window.removeEventListener('online', listener);
}

/** Calls back when another tab has changed `localStorage`: with the name, null for all of them. */
export function onStored(listener: (name: string | null) => void): void {
  if (typeof window === 'undefined') return;
  window.addEventListener('storage', ({ key }) => listener(key));
}

/** A wait that ends early when `wake` is called or the network returns. */
export function wait(ms: number): { done: Promise<void>; wake: () => void } {
  let wake = () => {};
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(() => wake(), ms);
    const stop = onOnline(() => wake());
    wake = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
  });
  return { done, wake: () => wake() };
}

/** Milliseconds before attempt `failures` + 1: doubled each time, at most 10 s, with jitter. */
export function backoff(failures: number, firstMs = 250): number {
  return Math.min(10_000, firstMs * 2 ** failures) * (0.5 + Math.random() / 2);
}
