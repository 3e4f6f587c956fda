import { RequestFailed, hasCode, isTransient } from './errors.js';
import { newKey } from './idempotency.js';
import { backoff, onStored, wait, type Locks, type Store } from './platform.js';

/** A mutation that the server has not acknowledged. */
export interface Queued {
  /** Ascending in the order of adding. */
  id: string;
  /** The idempotency key of every attempt. */
  key: string;
  userId: string;
  query: string;
  variables: unknown;
  /** What the app wants to know of it, also after a restart; JSON. */
  note?: unknown;
  /** See {@link AddOptions}. */
  attempts?: number | undefined;
}

export interface AddOptions {
  /** Default: a new one. With that of an entry that was given up, the mutation has its effect once. */
  key?: string | undefined;
  note?: unknown;
  /**
   * After so many attempts that failed although the server could be reached, the entry is given up:
   * for what a user is to decide about anew. Default: there is no end.
   */
  attempts?: number | undefined;
}

export type Outcome = { entry: Queued } & ({ data: unknown } | { error: unknown });

export interface QueueOptions {
  /** One attempt, under the entry's key; throws as `Http.send` does. */
  send: (entry: Queued) => Promise<unknown>;
  userId: () => string | null;
  /** False while it is known that the server cannot be reached, as without a network. */
  isReachable?: () => boolean;
  store: Store;
  locks: Locks;
  name: string;
}

/** Internal errors may be the entry's own fault: after so many it is given up, and the rest go on. */
const INTERNAL_ATTEMPTS = 5;
/** After so many failed attempts whoever waits is told. */
const PATIENCE = 4;

interface Waiter {
  entry: Queued;
  settled: Promise<unknown>;
  resolve: (data: unknown) => void;
  reject: (error: unknown) => void;
}

/** Failed attempts at one entry. */
interface Failures {
  all: number;
  /** With the reason of the entry's own, perhaps. */
  internal: number;
  /** Although the server could be reached. */
  reached: number;
}
const NONE: Failures = { all: 0, internal: 0, reached: 0 };

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
  readonly #delayed = new Set<(entry: Queued) => void>();
  readonly #changed = new Set<() => void>();
  readonly #told = new Set<string>();
  #draining = false;
  #again = false;
  #stopped = false;
  #pause: { wake: () => void } | null = null;
  #last = 0;

  constructor(private readonly options: QueueOptions) {
    // Those of other tabs.
    onStored((name) => {
      if (name === null || name.startsWith(this.#prefix)) this.#change();
    });
  }

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
  add<Data>(
    query: string,
    variables: unknown,
    { key = newKey(), note, attempts }: AddOptions = {},
  ): Promise<Data> {
    const userId = this.options.userId();
    if (userId === null) throw new RequestFailed('log in first', [unauthenticated]);
    const entry = { id: this.#nextId(), key, userId, query, variables, note, attempts };
    this.options.store.setItem(this.#nameOf(entry), JSON.stringify(entry));
    const settled = this.outcomeOf<Data>(entry);
    this.#change();
    this.resume();
    return settled;
  }

  /**
   * What becomes of an entry, also of one of an earlier run or of another tab: as `add` says. It is
   * known, too, when the entry has been sent meanwhile: the server repeats its response.
   */
  outcomeOf<Data>(entry: Queued): Promise<Data> {
    const waiting = this.#waiters.get(entry.id);
    if (waiting) return waiting.settled as Promise<Data>;
    const waiter = { entry } as Waiter;
    waiter.settled = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    this.#waiters.set(entry.id, waiter);
    this.resume();
    return waiter.settled as Promise<Data>;
  }

  /** Calls back for each outcome, also of entries that an earlier run has left. */
  onSettled(listener: (outcome: Outcome) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Calls back when an entry waits longer than usual: the server cannot be reached, or does not
   * respond.
   */
  onDelayed(listener: (entry: Queued) => void): () => void {
    this.#delayed.add(listener);
    return () => this.#delayed.delete(listener);
  }

  /** Calls back when `entries` has changed. */
  onChange(listener: () => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  /** Sends what waits; ends a wait between attempts. Called by `add`, and after a log-in. */
  resume(): void {
    this.#stopped = false;
    this.#pause?.wake();
    this.#again = true;
    if (!this.#draining) void this.#drain();
  }

  /** Ends a wait between attempts. */
  wake(): void {
    this.#pause?.wake();
  }

  /** Sends nothing more until `resume`; an attempt that is under way is finished. */
  stop(): void {
    this.#stopped = true;
    this.#pause?.wake();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        // One tab at a time, or entries would overtake one another.
        await this.options.locks.request(`${this.options.name}.send`, () => this.#sendAll());
      }
    } finally {
      // In the same step as the last look at `again`: what is added between the two is not missed.
      this.#draining = false;
    }
  }

  async #sendAll(): Promise<void> {
    let failures = NONE;
    for (;;) {
      const entry = this.#next();
      if (!entry || this.#stopped) return;
      let outcome: Outcome;
      try {
        outcome = { entry, data: await this.options.send(entry) };
      } catch (error) {
        // It waits for the user's next log-in.
        if (hasCode(error, 'UNAUTHENTICATED')) return;
        failures = this.#counted(failures, error);
        if (this.#isWorthAnother(entry, failures, error)) {
          if (failures.all > failures.reached || failures.all >= PATIENCE) this.#tellDelayed();
          const delay = error instanceof RequestFailed ? error.retryAfterMs : undefined;
          await this.#wait(delay ?? backoff(failures.all - 1));
          continue;
        }
        outcome = { entry, error };
      }
      failures = NONE;
      this.options.store.removeItem(this.#nameOf(entry));
      this.#settle(outcome);
    }
  }

  #counted({ all, internal, reached }: Failures, error: unknown): Failures {
    const isReachable = this.options.isReachable?.() ?? true;
    return {
      all: all + 1,
      internal: internal + (hasCode(error, 'INTERNAL') ? 1 : 0),
      reached: reached + (isReachable ? 1 : 0),
    };
  }

  /** Of every entry once: none is sent before the first one. */
  #tellDelayed(): void {
    for (const entry of this.entries.filter(({ id }) => !this.#told.has(id))) {
      this.#told.add(entry.id);
      for (const listener of this.#delayed) listener(entry);
    }
  }

  #isWorthAnother(entry: Queued, { internal, reached }: Failures, error: unknown): boolean {
    if (hasCode(error, 'INTERNAL')) return internal < INTERNAL_ATTEMPTS;
    return isTransient(error) && reached < (entry.attempts ?? Number.POSITIVE_INFINITY);
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
    this.#told.delete(outcome.entry.id);
    if ('data' in outcome) waiter?.resolve(outcome.data);
    else waiter?.reject(outcome.error);
    this.#change();
    for (const listener of this.#listeners) listener(outcome);
  }

  #change(): void {
    for (const listener of this.#changed) listener();
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
