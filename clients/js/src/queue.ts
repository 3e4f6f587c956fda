import { RequestFailed, hasCode, isTransient } from './errors.js';
import { newKey } from './idempotency.js';
import { backoff, wait, type Locks, type Store } from './platform.js';

/** A mutation that the server has not acknowledged. */
export interface Queued {
  /** Ascending in the order of adding. */
  id: string;
  /** The idempotency key of every attempt. */
  key: string;
  userId: string;
  query: string;
  variables: unknown;
}

export type Outcome = { entry: Queued } & ({ data: unknown } | { error: unknown });

export interface QueueOptions {
  /** One attempt, under the entry's key; throws as `Http.send` does. */
  send: (entry: Queued) => Promise<unknown>;
  userId: () => string | null;
  store: Store;
  locks: Locks;
  name: string;
}

/** Internal errors may be the entry's own fault: after so many it is given up, and the rest go on. */
const INTERNAL_ATTEMPTS = 5;

interface Waiter {
  entry: Queued;
  resolve: (data: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Mutations in the order in which they were added, each with its effect once. An entry is in the
 * store before `add` returns, and leaves it when the server has responded: a network that is cut or
 * a process that is killed delays it. Every attempt has the same idempotency key, so an entry whose
 * response was lost does not take effect again. The server keeps keys for 48 hours: an entry that
 * has taken effect, and whose response arrives at none of the attempts of 48 hours, may take effect
 * twice.
 */
export class MutationQueue {
  readonly #waiters = new Map<string, Waiter>();
  readonly #listeners = new Set<(outcome: Outcome) => void>();
  #draining = false;
  #again = false;
  #stopped = false;
  #pause: { wake: () => void } | null = null;
  #last = 0;

  constructor(private readonly options: QueueOptions) {}

  /** The entries of the logged-in user that wait, in order. */
  get entries(): readonly Queued[] {
    const userId = this.options.userId();
    return this.#stored().filter((entry) => entry.userId === userId);
  }

  /**
   * Adds a mutation for the logged-in user. Resolves with its data; rejects with what it was
   * refused for, which no further attempt would change.
   *
   * @throws when nobody is logged in, or the store is full: then nothing was added.
   */
  add<Data>(query: string, variables: unknown): Promise<Data> {
    const { userId, store } = this.options;
    const user = userId();
    if (user === null) throw new RequestFailed('log in first', [unauthenticated]);
    const entry = { id: this.#nextId(), key: newKey(), userId: user, query, variables };
    store.setItem(this.#nameOf(entry), JSON.stringify(entry));
    const settled = new Promise<Data>((resolve, reject) => {
      this.#waiters.set(entry.id, { entry, resolve: resolve as Waiter['resolve'], reject });
    });
    this.resume();
    return settled;
  }

  /** Calls back for each outcome, also of entries that an earlier run has left. */
  onSettled(listener: (outcome: Outcome) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends what waits; ends a wait between attempts. Called by `add`, and after a log-in. */
  resume(): void {
    this.#stopped = false;
    this.#pause?.wake();
    this.#again = true;
    if (this.#draining) return;
    this.#draining = true;
    void this.#drain().finally(() => {
      this.#draining = false;
    });
  }

  /** Sends nothing more until `resume`; an attempt that is under way is finished. */
  stop(): void {
    this.#stopped = true;
    this.#pause?.wake();
  }

  async #drain(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      // One tab at a time, or entries would overtake one another.
      await this.options.locks.request(`${this.options.name}.send`, () => this.#sendAll());
    }
  }

  async #sendAll(): Promise<void> {
    let failures = 0;
    let internal = 0;
    for (;;) {
      const entry = this.#next();
      if (!entry || this.#stopped) return;
      let outcome: Outcome;
      try {
        outcome = { entry, data: await this.options.send(entry) };
      } catch (error) {
        // It waits for the user's next log-in.
        if (hasCode(error, 'UNAUTHENTICATED')) return;
        const isInternal = hasCode(error, 'INTERNAL');
        if (isInternal) internal += 1;
        if (isTransient(error) || (isInternal && internal < INTERNAL_ATTEMPTS)) {
          const delay = error instanceof RequestFailed ? error.retryAfterMs : undefined;
          await this.#wait(delay ?? backoff(failures));
          failures += 1;
          continue;
        }
        outcome = { entry, error };
      }
      failures = internal = 0;
      this.options.store.removeItem(this.#nameOf(entry));
      this.#settle(outcome);
    }
  }

  async #wait(ms: number): Promise<void> {
    if (this.#stopped) return;
    const pause = wait(ms);
    this.#pause = pause;
    await pause.done;
    this.#pause = null;
  }

  /**
   * The user's oldest entry. Then one of this tab's that another tab has sent: its outcome is not
   * known here, and asking under its key repeats the response.
   */
  #next(): Queued | undefined {
    const [oldest] = this.entries;
    if (oldest) return oldest;
    const userId = this.options.userId();
    return [...this.#waiters.values()].find(({ entry }) => entry.userId === userId)?.entry;
  }

  #settle(outcome: Outcome): void {
    const waiter = this.#waiters.get(outcome.entry.id);
    this.#waiters.delete(outcome.entry.id);
    if ('data' in outcome) waiter?.resolve(outcome.data);
    else waiter?.reject(outcome.error);
    for (const listener of this.#listeners) listener(outcome);
  }

  #stored(): Queued[] {
    const { store } = this.options;
    const names = Array.from({ length: store.length }, (_, index) => store.key(index));
    return names
      .filter((name) => name?.startsWith(this.#prefix))
      .sort()
      .flatMap((name) => store.getItem(name ?? '') ?? [])
      .map((text) => JSON.parse(text) as Queued);
  }

  /** After every entry of every tab, so that a new one is the last. */
  #nextId(): string {
    const newest = this.#stored().at(-1);
    this.#last = Math.max(this.#last, newest ? Number.parseInt(newest.id, 10) : 0) + 1;
    // Two tabs may take the same number: the rest keeps their entries apart.
    return `${String(this.#last).padStart(12, '0')}-${newKey().slice(0, 8)}`;
  }

  get #prefix(): string {
    return `${this.options.name}.entry.`;
  }

  #nameOf(entry: { id: string }): string {
    return this.#prefix + entry.id;
  }
}

const unauthenticated = { message: 'log in first', extensions: { code: 'UNAUTHENTICATED' } };
