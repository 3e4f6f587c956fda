import { RequestFailed, type GraphQLFailure } from './errors.js';
import { backoff, onOnline, wait } from './platform.js';
import type { Session } from './session.js';

export interface Sink<Data> {
  next(data: Data, errors: readonly GraphQLFailure[]): void;
  /** The subscription has ended: the server refused it. */
  error?(error: RequestFailed): void;
  /** The subscription has ended: nothing more will come. */
  complete?(): void;
}

export type SocketState = 'closed' | 'opening' | 'open' | 'waiting';

export interface SocketOptions {
  url: string;
  /** `WebSocket`, or the class of a package such as `ws` where there is none. */
  webSocket: typeof WebSocket;
}

export interface SubscribeOptions {
  /** Which operation of a document that has several. */
  operationName?: string | null | undefined;
}

interface Subscription {
  query: string;
  operationName: string | null | undefined;
  /** As they were given: with no cursor of an event. */
  given: Record<string, unknown>;
  variables: Record<string, unknown>;
  /** Whether the operation has a variable `$after` for the cursor to resume from. */
  resumes: boolean;
  sink: Sink<never>;
}

interface Message {
  type: string;
  id?: string;
  payload?: unknown;
}

const PROTOCOL = 'graphql-transport-ws';
/** The access token was refused, or the session has ended. */
const FORBIDDEN = 4403;
/** Faults of the client, which another attempt would repeat. */
const FATAL: ReadonlySet<number> = new Set([4400, 4401, 4406, 4409]);
const OPEN = 1;

const ACKNOWLEDGED_WITHIN_MS = 10_000;
const PING_EVERY_MS = 12_000;
const PONG_WITHIN_MS = 6_000;
/** A new access token is sent so long before the socket's expires. */
const RENEW_BEFORE_MS = 25_000;
/** Without subscriptions the socket closes after this. */
const IDLE_MS = 2_000;

/**
 * Subscriptions over one socket, by graphql-transport-ws. The socket opens with the first
 * subscription and reopens by itself. Each event has a cursor: a subscription with a variable
 * `$after` resumes from its last cursor, so events published during an interruption arrive once and
 * in order.
 */
export class Socket {
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #listeners = new Set<(state: SocketState) => void>();
  #socket: WebSocket | null = null;
  #state: SocketState = 'closed';
  #refused: string | null = null;
  #failures = 0;
  #pause: { wake: () => void } | null = null;
  #timers: Partial<Record<'init' | 'ping' | 'pong' | 'renew' | 'idle', number>> = {};
  #lastId = 0;
  #userId: string | undefined;
  readonly #stopOnline: () => void;
  readonly #stopSession: () => void;

  constructor(
    private readonly options: SocketOptions,
    private readonly session: Session,
  ) {
    // The connection of the previous network is dead, whatever its state says.
    this.#stopOnline = onOnline(() => this.reconnect());
    this.#stopSession = session.subscribe(() => this.#userMayHaveChanged());
    this.#userId = session.current?.userId;
  }

  /** Whether the connection broke, and none has been made since. */
  get isLost(): boolean {
    return this.#failures > 0 && this.#state !== 'closed';
  }

  get state(): SocketState {
    return this.#state;
  }

  onState(listener: (state: SocketState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns how to unsubscribe. */
  subscribe<Data>(
    query: string,
    given: Record<string, unknown>,
    sink: Sink<Data>,
    { operationName }: SubscribeOptions = {},
  ): () => void {
    const id = String((this.#lastId += 1));
    const resumes = /\$after\b/.test(query);
    const variables = { ...given };
    this.#subscriptions.set(id, { query, operationName, given, variables, resumes, sink });
    clearTimeout(this.#timers.idle);
    if (this.#state === 'open') this.#sendSubscribe(id);
    else void this.#open();
    return () => {
      if (!this.#subscriptions.has(id)) return;
      this.#send({ type: 'complete', id });
      this.#remove(id);
    };
  }

  /** Drops the connection and opens another one; subscriptions resume on it. */
  reconnect(): void {
    if (this.#socket) this.#dropped(1006);
    else this.#pause?.wake();
  }

  /** Ends every subscription without a word to its sink, and the connection. */
  close(): void {
    this.#subscriptions.clear();
    this.#stopOnline();
    this.#stopSession();
    this.#pause?.wake();
    this.#detach();
    this.#enter('closed');
  }

  /** A connection belongs to the user who opened it, and so do the cursors of its events. */
  #userMayHaveChanged(): void {
    const userId = this.session.current?.userId;
    if (userId === this.#userId) return;
    this.#userId = userId;
    for (const subscription of this.#subscriptions.values())
      subscription.variables = { ...subscription.given };
    if (!this.#socket) return this.#pause?.wake();
    this.#detach();
    this.#enter('closed');
    void this.#open();
  }

  async #open(): Promise<void> {
    if (this.#state !== 'closed') return;
    this.#enter('opening');
    while (this.#subscriptions.size > 0) {
      const token = await this.#token();
      if (this.#subscriptions.size === 0) break;
      if (token !== undefined) return this.#connect(token);
      await this.#wait();
    }
    this.#enter('closed');
  }

  /** Undefined when it could not be renewed for now. */
  async #token(): Promise<string | null | undefined> {
    try {
      if (this.#refused !== null) await this.session.renew(this.#refused);
      this.#refused = null;
      return await this.session.accessToken();
    } catch {
      return undefined;
    }
  }

  async #wait(): Promise<void> {
    this.#enter('waiting');
    const pause = wait(backoff(this.#failures));
    this.#failures += 1;
    this.#pause = pause;
    await pause.done;
    this.#pause = null;
  }

  #connect(token: string | null): void {
    const socket = new this.options.webSocket(this.options.url, PROTOCOL);
    this.#socket = socket;
    this.#enter('opening');
    this.#timers.init = setTimeout(() => this.#dropped(4408), ACKNOWLEDGED_WITHIN_MS);
    socket.onopen = () => {
      const payload = token ? { authorization: `Bearer ${token}` } : {};
      this.#send({ type: 'connection_init', payload });
    };
    socket.onmessage = ({ data }) => this.#received(JSON.parse(String(data)) as Message, token);
    // A close follows.
    socket.onerror = () => undefined;
    socket.onclose = ({ code }) => this.#dropped(code, token);
  }

  #received(message: Message, token: string | null): void {
    clearTimeout(this.#timers.pong);
    switch (message.type) {
      case 'connection_ack':
        return this.#acknowledged(token);
      case 'ping':
        return this.#send({ type: 'pong' });
      case 'next':
        return this.#next(message.id ?? '', message.payload as Result);
      case 'error':
        return this.#failed(message.id ?? '', message.payload as GraphQLFailure[]);
      case 'complete': {
        const sink = this.#subscriptions.get(message.id ?? '')?.sink;
        this.#remove(message.id ?? '');
        return sink?.complete?.();
      }
    }
  }

  #acknowledged(token: string | null): void {
    clearTimeout(this.#timers.init);
    this.#failures = 0;
    this.#enter('open');
    this.#timers.ping = setInterval(() => {
      this.#send({ type: 'ping' });
      // A network that went away closes nothing: only the missing response shows it.
      this.#timers.pong = setTimeout(() => this.#dropped(1006), PONG_WITHIN_MS);
    }, PING_EVERY_MS);
    if (token) this.#renewBeforeExpiry();
    for (const id of this.#subscriptions.keys()) this.#sendSubscribe(id);
  }

  /** The server closes a socket when its token expires, unless a ping has brought another one. */
  #renewBeforeExpiry(): void {
    const expiresAt = this.session.current?.expiresAt;
    if (expiresAt === undefined) return;
    const renew = async () => {
      const socket = this.#socket;
      const token = await this.session.accessToken().catch(() => null);
      if (!token || socket !== this.#socket) return;
      this.#send({ type: 'ping', payload: { authorization: `Bearer ${token}` } });
      this.#renewBeforeExpiry();
    };
    const delay = Math.max(1_000, expiresAt - RENEW_BEFORE_MS - Date.now());
    this.#timers.renew = setTimeout(() => void renew(), delay);
  }

  #next(id: string, { data, errors = [] }: Result): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    const cursor = Object.values(data ?? {})
      .map(cursorOf)
      .find(Boolean);
    if (cursor && subscription.resumes) subscription.variables['after'] = cursor;
    if (data) subscription.sink.next(data as never, errors);
    else this.#failed(id, errors as GraphQLFailure[]);
  }

  #failed(id: string, errors: GraphQLFailure[]): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    const error = new RequestFailed(errors[0]?.message ?? 'the subscription failed', errors);
    if (!error.isTransient) {
      this.#remove(id);
      subscription.sink.error?.(error);
      return;
    }
    // The server will take it later: under the same id, from the last cursor.
    setTimeout(
      () => {
        if (this.#state === 'open' && this.#subscriptions.has(id)) this.#sendSubscribe(id);
      },
      error.retryAfterMs ?? backoff(2),
    );
  }

  /** The connection is lost: every subscription resumes on the next one. */
  #dropped(code: number, token: string | null = null): void {
    this.#detach();
    if (FATAL.has(code)) {
      const lost = [...this.#subscriptions.values()];
      this.#subscriptions.clear();
      this.#enter('closed');
      const error = new RequestFailed(`the server closed the socket with ${code}`);
      for (const { sink } of lost) sink.error?.(error);
      return;
    }
    if (code === FORBIDDEN) this.#refused = token;
    this.#enter('waiting');
    void this.#wait().then(() => {
      this.#enter('closed');
      return this.#open();
    });
  }

  #detach(): void {
    const socket = this.#socket;
    this.#socket = null;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => undefined;
    socket.close();
  }

  #remove(id: string): void {
    this.#subscriptions.delete(id);
    if (this.#subscriptions.size > 0) return;
    this.#timers.idle = setTimeout(() => {
      if (this.#subscriptions.size > 0) return;
      this.#detach();
      this.#enter('closed');
    }, IDLE_MS);
  }

  #sendSubscribe(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    const { query, operationName, variables } = subscription;
    this.#send({ type: 'subscribe', id, payload: { query, operationName, variables } });
  }

  #send(message: Message): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  #enter(state: SocketState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

interface Result {
  data?: Record<string, unknown> | null;
  errors?: readonly GraphQLFailure[];
}

function cursorOf(event: unknown): string | undefined {
  const cursor = (event as { cursor?: unknown } | null)?.cursor;
  return typeof cursor === 'string' ? cursor : undefined;
}
