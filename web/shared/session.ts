import { graphql } from './graphql';
import { forgetWrites } from './http';
import { request, RequestFailed } from './request';

/** Who is logged in, and with what. */
export interface LoggedIn {
  userId: string;
  handle: string;
  displayName: string;
  accessToken: string;
  refreshToken: string;
  /** When the access token ends, in ms. */
  expiresAt: number;
}

/** A refusal of one of the input's fields. */
export interface UserError {
  code: string;
  message: string;
  path: readonly string[];
}

const LogIn = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) {
      accessToken refreshToken expiresAt deviceToken
      viewer { user { id handle displayName } }
      userErrors { code message path }
    }
  }
`);

const SignUp = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) {
      accessToken refreshToken expiresAt deviceToken
      viewer { user { id handle displayName } }
      userErrors { code message path }
    }
  }
`);

const Refresh = graphql(`
  mutation Refresh($input: SessionRefreshInput!) {
    sessionRefresh(input: $input) {
      accessToken refreshToken expiresAt deviceToken
      viewer { user { id handle displayName } }
      userErrors { code message path }
    }
  }
`);

const LogOut = graphql(`
  mutation LogOut { logOut { loggedOut } }
`);

interface Granted {
  accessToken: string | null;
  refreshToken: string | null;
  expiresAt: string | null;
  deviceToken: string | null;
  viewer: { user: { id: string; handle: string; displayName: string } | null } | null;
  userErrors: UserError[];
}

/** Renewed this long before it ends, so that no request is under way with a dying token. */
const MARGIN_MS = 30_000;

/**
 * A log-in that outlives reloads and is shared by the tabs of one browser. A refresh token is good once: tabs take turns to renew, and the one that
 * comes second takes what the first has got.
 */
export class Session {
  #current: LoggedIn | null;
  #listeners = new Set<() => void>();
  #renewing: Promise<void> | null = null;

  constructor(private readonly storageKey: string) {
    this.#current = this.#stored();
    addEventListener('storage', (event) => {
      if (event.key === storageKey || event.key === null) this.#adopt(this.#stored());
    });
  }

  /** Who is logged in; the same object until it changes. */
  get current(): LoggedIn | null {
    return this.#current;
  }

  /** Whether the access token is over, or about to be. */
  get isStale(): boolean {
    return this.#current !== null && Date.now() > this.#current.expiresAt - MARGIN_MS;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Nothing when it went well, else what was refused. */
  async logIn(input: { handle: string; password: string }): Promise<UserError[]> {
    // Says that this browser was logged in before: other people's wrong passwords do not keep it out.
    const deviceToken = localStorage.getItem(this.#deviceKey);
    return this.#take((await request(LogIn, { input: { ...input, deviceToken } })).logIn);
  }

  async signUp(input: {
    handle: string;
    email: string;
    displayName: string;
    password: string;
  }): Promise<UserError[]> {
    return this.#take((await request(SignUp, { input })).signUp);
  }

  /** Whether somebody left on purpose, the last time that nobody was logged in any more. */
  left = false;

  async logOut(): Promise<void> {
    this.left = true;
    const token = this.#current?.accessToken;
    this.end();
    // This browser has forgotten the tokens either way.
    if (token) await request(LogOut, {}, token).catch(() => undefined);
  }

  /** A token that is good for some time; null when nobody is logged in (any more). */
  async accessToken(): Promise<string | null> {
    if (this.isStale) await this.renew();
    return this.#current?.accessToken ?? null;
  }

  /** Trades the refresh token. The session ends when plaza says so, never because plaza could not be reached. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renewInTurn().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  end(): void {
    localStorage.removeItem(this.storageKey);
    forgetWrites();
    this.#adopt(null);
  }

  async #renewInTurn(): Promise<void> {
    const before = this.#current?.refreshToken;
    if (!before) return;
    const trade = async () => {
      const stored = this.#stored();
      if (stored?.refreshToken !== before) return this.#adopt(stored);
      const granted = (await request(Refresh, { input: { refreshToken: before } })).sessionRefresh;
      if (granted?.userErrors.length) this.end();
      else this.#take(granted);
    };
    // Absent on a page that did not come over TLS or from this machine; tabs that trade the same token within 10 s then get the same new one.
    const locks = navigator.locks as LockManager | undefined;
    if (locks) await locks.request(this.storageKey, trade);
    else await trade();
  }

  #take(granted: Granted | null): UserError[] {
    if (granted?.userErrors.length) return granted.userErrors;
    const user = granted?.viewer?.user;
    if (!granted?.accessToken || !granted.refreshToken || !granted.expiresAt || !user) {
      throw new RequestFailed('plaza answered without a session.');
    }
    if (granted.deviceToken) localStorage.setItem(this.#deviceKey, granted.deviceToken);
    const { accessToken, refreshToken } = granted;
    const { id: userId, handle, displayName } = user;
    const next = {
      userId,
      handle,
      displayName,
      accessToken,
      refreshToken,
      expiresAt: Date.parse(granted.expiresAt),
    };
    localStorage.setItem(this.storageKey, JSON.stringify(next));
    this.left = false;
    this.#adopt(next);
    return [];
  }

  /** Kept over a log-out. */
  get #deviceKey(): string {
    return `${this.storageKey}.device`;
  }

  #stored(): LoggedIn | null {
    try {
      return JSON.parse(localStorage.getItem(this.storageKey) ?? 'null') as LoggedIn | null;
    } catch {
      return null;
    }
  }

  #adopt(next: LoggedIn | null): void {
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }
}
