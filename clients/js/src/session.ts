import type { Consistency } from './consistency.js';
import { RequestFailed, isTransient, type UserError } from './errors.js';
import type { Http } from './http.js';
import { newKey } from './idempotency.js';
import { backoff, onStored, wait, type Locks, type Store } from './platform.js';

/** A logged-in user, with the session's tokens. */
export interface LoggedIn {
  userId: string;
  handle: string;
  displayName: string;
  accessToken: string;
  refreshToken: string;
  /** The idempotency key under which the refresh token is used. */
  refreshKey: string;
  /** When the access token expires, in milliseconds since 1970. */
  expiresAt: number;
}

interface Granted {
  accessToken: string | null;
  refreshToken: string | null;
  expiresAt: string | null;
  deviceToken: string | null;
  viewer: { user: Pick<LoggedIn, 'handle' | 'displayName'> & { id: string } } | null;
  userErrors: UserError[];
}

const GRANTED = `{
  accessToken refreshToken expiresAt deviceToken
  viewer { user { id handle displayName } }
  userErrors { code message path }
}`;
const LOG_IN = `mutation LogIn($input: LogInInput!) { result: logIn(input: $input) ${GRANTED} }`;
const SIGN_UP = `mutation SignUp($input: SignUpInput!) { result: signUp(input: $input) ${GRANTED} }`;
const REFRESH = `mutation Refresh($input: SessionRefreshInput!) {
  result: sessionRefresh(input: $input) ${GRANTED}
}`;
const LOG_OUT = 'mutation LogOut { logOut { loggedOut } }';

/** An access token is renewed so long before it expires, so that none expires under way. */
const MARGIN_MS = 30_000;
const ATTEMPTS = 3;

export interface LogInInput {
  handle: string;
  password: string;
}

export interface SignUpInput extends LogInInput {
  email: string;
  displayName: string;
}

/**
 * A session that outlives restarts and is shared by everything on the same store, such as the tabs
 * of a browser. A refresh token is good once: tabs take turns to use it, and a tab that comes second
 * takes the tokens that the first has got.
 */
export class Session {
  #current: LoggedIn | null;
  #renewing: Promise<void> | null = null;
  #left = false;
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly http: Http,
    private readonly consistency: Consistency,
    private readonly store: Store,
    private readonly locks: Locks,
    private readonly name: string,
  ) {
    this.#current = this.#stored();
    onStored((key) => {
      if (key === name || key === null) this.#adopt(this.#stored());
    });
  }

  /** The logged-in user; the same object until it changes. */
  get current(): LoggedIn | null {
    return this.#current;
  }

  /** Whether the last session ended by `logOut` here, and not by the server or another tab. */
  get left(): boolean {
    return this.#left;
  }

  /** Whether the access token has expired, or is about to. */
  get isStale(): boolean {
    return this.#current !== null && Date.now() > this.#current.expiresAt - MARGIN_MS;
  }

  /** Calls back after each change; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The business errors; empty on success. */
  logIn(input: LogInInput): Promise<UserError[]> {
    // Names this device: other people's wrong passwords do not lock it out.
    const deviceToken = this.store.getItem(this.#deviceName);
    return this.#enter(LOG_IN, { input: { ...input, deviceToken } });
  }

  /** The business errors; empty on success. */
  signUp(input: SignUpInput): Promise<UserError[]> {
    return this.#enter(SIGN_UP, { input });
  }

  /** Forgets the tokens at once, then ends the session at the server if it can be reached. */
  async logOut(): Promise<void> {
    const token = this.#current?.accessToken;
    this.#left = true;
    this.end();
    if (token) await this.http.send(LOG_OUT, {}, { token, key: newKey() }).catch(() => undefined);
  }

  /** Forgets the tokens, here and in the store. */
  end(): void {
    this.store.removeItem(this.name);
    this.consistency.clear();
    this.#adopt(null);
  }

  /** An access token that does not expire soon; null when nobody is logged in. */
  async accessToken(): Promise<string | null> {
    if (this.isStale) await this.renew();
    return this.#current?.accessToken ?? null;
  }

  /**
   * Uses the refresh token, unless `refused`, the access token to replace, has been replaced. The
   * session ends when the server refuses the refresh token, never because it cannot be reached.
   *
   * @throws RequestFailed when the server cannot be reached.
   */
  renew(refused?: string): Promise<void> {
    if (refused !== undefined && this.#current?.accessToken !== refused) return Promise.resolve();
    this.#renewing ??= this.#renewInTurn().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renewInTurn(): Promise<void> {
    const before = this.#current;
    if (!before) return;
    await this.locks.request(`${this.name}.renew`, async () => {
      const stored = this.#stored();
      if (stored?.refreshToken !== before.refreshToken) return this.#adopt(stored);
      // By the same key in every tab and after a restart: a response that was lost is repeated.
      const input = { refreshToken: before.refreshToken };
      const granted = await this.#send(REFRESH, { input }, before.refreshKey);
      // Logged out meanwhile, or renewed by a tab that takes no turns: the new tokens are of no use.
      const now = this.#stored();
      if (now?.refreshToken !== before.refreshToken) return this.#adopt(now);
      if (granted.userErrors.length > 0) this.end();
      else this.#keep(granted);
    });
  }

  async #enter(query: string, variables: unknown): Promise<UserError[]> {
    const granted = await this.#send(query, variables, newKey());
    if (granted.userErrors.length > 0) return granted.userErrors;
    // What somebody else has written is none of the next user's concern.
    this.consistency.clear();
    this.#keep(granted);
    return [];
  }

  async #send(query: string, variables: unknown, key: string): Promise<Granted> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await this.http.send<{ result: Granted }>(query, variables, { key })).data.result;
      } catch (error) {
        if (!isTransient(error) || attempt === ATTEMPTS) throw error;
        await wait(error.retryAfterMs ?? backoff(attempt)).done;
      }
    }
  }

  #keep(granted: Granted): void {
    const { accessToken, refreshToken, expiresAt, deviceToken, viewer } = granted;
    if (!accessToken || !refreshToken || !expiresAt || !viewer) {
      throw new RequestFailed('the server responded without a session');
    }
    if (deviceToken) this.store.setItem(this.#deviceName, deviceToken);
    const { id: userId, handle, displayName } = viewer.user;
    const user = { userId, handle, displayName };
    const tokens = { accessToken, refreshToken, refreshKey: newKey() };
    const next: LoggedIn = { ...user, ...tokens, expiresAt: Date.parse(expiresAt) };
    this.store.setItem(this.name, JSON.stringify(next));
    this.#left = false;
    this.#adopt(next);
  }

  /** Kept over a log-out. */
  get #deviceName(): string {
    return `${this.name}.device`;
  }

  #stored(): LoggedIn | null {
    try {
      return JSON.parse(this.store.getItem(this.name) ?? 'null') as LoggedIn | null;
    } catch {
      return null;
    }
  }

  #adopt(next: LoggedIn | null): void {
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }
}
