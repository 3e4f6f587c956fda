import { Consistency, type TokenStore } from './consistency.js';
import { RequestFailed, isTransient } from './errors.js';
import {
  Http,
  dataOf,
  textOf,
  type Answer,
  type GraphQLRequest,
  type GraphQLResponse,
  type Operation,
  type Response,
} from './http.js';
import { newKey } from './idempotency.js';
import {
  backoff,
  defaultLocks,
  defaultStore,
  hasNetwork,
  tabStore,
  wait,
  type Locks,
  type Store,
} from './platform.js';
import { MutationQueue, type AddOptions } from './queue.js';
import { Session } from './session.js';
import { Socket, type Sink, type SubscribeOptions } from './socket.js';
import { upload, type UploadOptions } from './upload.js';

export interface ClientOptions {
  /** The endpoint, such as `https://plaza.example/graphql`. */
  url: string;
  /** Prefix of what is kept in the store; one for each app on an origin. */
  name?: string;
  /** Default: `localStorage` in a browser, else memory. */
  store?: Store;
  /** Where consistency tokens are kept. Default: `sessionStorage` in a browser, else memory. */
  tokenStore?: TokenStore;
  /** Default: `navigator.locks`, else locks within the process. */
  locks?: Locks;
  fetch?: typeof fetch;
  /** Default: the global `WebSocket`. */
  webSocket?: typeof WebSocket;
  /** How long one attempt at a request may take, in milliseconds. */
  deadlineMs?: number;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** A mutation's idempotency key; one is made when it is left out. */
  key?: string | undefined;
}

export interface ExecuteOptions extends RequestOptions {
  /** These win over the client's own. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** The server's own proxy gives up after 8 s: past this the connection is dead. */
const DEADLINE_MS = 12_000;
const ATTEMPTS = 4;

/** A client of plaza's GraphQL API for one user at a time. */
export class PlazaClient {
  readonly session: Session;
  readonly queue: MutationQueue;
  readonly consistency: Consistency;
  readonly #http: Http;
  readonly #locks: Locks;
  readonly #options: ClientOptions;
  #socket: Socket | null = null;

  constructor(options: ClientOptions) {
    const { name = 'plaza', store = defaultStore(), deadlineMs = DEADLINE_MS } = options;
    this.#options = options;
    this.consistency = new Consistency(options.tokenStore ?? tabStore());
    this.#locks = options.locks ?? defaultLocks();
    const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#http = new Http({ url: options.url, fetch, deadlineMs }, this.consistency);
    this.session = new Session(this.#http, this.consistency, store, this.#locks, name);
    this.queue = new MutationQueue({
      send: async ({ query, variables, key }) => this.#data(query, variables, { key }),
      userId: () => this.session.current?.userId ?? null,
      isReachable: () => hasNetwork() && !this.#socket?.isLost,
      store,
      locks: this.#locks,
      name: `${name}.queue`,
    });
    this.session.subscribe(() => this.session.current && this.queue.resume());
    // What an earlier run has left.
    if (this.session.current) this.queue.resume();
  }

  /** The socket of all subscriptions; opened when the first one begins. */
  get socket(): Socket {
    const webSocket = this.#options.webSocket ?? globalThis.WebSocket;
    const url = this.#options.url.replace(/^http/, 'ws');
    if (this.#socket) return this.#socket;
    this.#socket = new Socket({ url, webSocket }, this.session);
    // The server can be reached again: what waits need not wait for its next attempt.
    this.#socket.onState((state) => state === 'open' && this.queue.wake());
    return this.#socket;
  }

  /**
   * Runs a query. Transient failures are retried.
   *
   * @throws RequestFailed when there is no data; errors of single fields are in the response.
   */
  query<Data, Variables>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    { signal }: RequestOptions = {},
  ): Promise<Response<Data>> {
    return retried(() => this.#response<Data>(textOf(operation), variables, { signal }), signal);
  }

  /**
   * Runs a mutation once and waits for it. Transient failures are retried under the same key. For
   * what must survive an interruption of any length, `enqueue` it.
   *
   * @throws RequestFailed on any error; with OUTCOME_UNKNOWN or without a code the mutation may have
   * taken effect: pass the same `key` to try it again.
   */
  mutate<Data, Variables>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    { signal, key = newKey() }: RequestOptions = {},
  ): Promise<Data> {
    return retried(() => this.#data<Data>(textOf(operation), variables, { signal, key }), signal);
  }

  /** Adds a mutation to the durable queue, see {@link MutationQueue.add}. */
  enqueue<Data, Variables>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    options?: AddOptions,
  ): Promise<Data> {
    return this.queue.add<Data>(textOf(operation), variables, options);
  }

  /**
   * Sends one request as the user who is logged in, once, and gives the whole response: for tools
   * that show it. A mutation needs a key in the options.
   *
   * @throws RequestFailed when there was no response, or none of GraphQL's.
   */
  async execute(request: GraphQLRequest, options: ExecuteOptions = {}): Promise<GraphQLResponse> {
    const answer = await this.#authorized(request, options);
    return answer.body ?? dataOf(answer);
  }

  /** Subscribes, and resumes after interruptions; returns how to unsubscribe. */
  subscribe<Data, Variables extends Record<string, unknown>>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    sink: Sink<Data>,
    options?: SubscribeOptions,
  ): () => void {
    return this.socket.subscribe(textOf(operation), variables, sink, options);
  }

  /** Uploads an image of at most 10 MiB and waits until it can be shown; its id. */
  upload(bytes: Blob, options?: UploadOptions): Promise<string> {
    const context = {
      url: this.#options.url,
      fetch: this.#options.fetch ?? globalThis.fetch.bind(globalThis),
      mutate: (query: string, variables: unknown, signal?: AbortSignal) =>
        this.mutate(query, variables, { signal }),
      query: async (query: string, variables: unknown, signal?: AbortSignal) =>
        (await this.query(query, variables, { signal })).data,
    };
    return upload(context, bytes, options);
  }

  /** Stops the queue and closes the socket; what is queued stays in the store. */
  close(): void {
    this.queue.stop();
    this.#socket?.close();
    this.#socket = null;
  }

  /** Renews an access token that is about to expire, or that the server refuses, and goes on. */
  async #authorized(request: GraphQLRequest, options: ExecuteOptions): Promise<Answer> {
    const token = await this.session.accessToken();
    const answer = await this.#http.post(request, { ...options, token });
    const code = answer.body?.errors?.[0]?.extensions?.code;
    if (!token || answer.body?.data || code !== 'UNAUTHENTICATED') return answer;
    await this.session.renew(token);
    const next = this.session.current?.accessToken;
    return next ? this.#http.post(request, { ...options, token: next }) : answer;
  }

  async #response<Data>(query: string, variables: unknown, options: RequestOptions) {
    return dataOf<Data>(await this.#authorized({ query, variables }, options));
  }

  async #data<Data>(query: string, variables: unknown, options: RequestOptions): Promise<Data> {
    const { data, errors } = await this.#response<Data>(query, variables, options);
    if (errors.length > 0) throw new RequestFailed(errors[0]?.message ?? 'refused', errors);
    return data;
  }
}

async function retried<Result>(
  attempt: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error) || number === ATTEMPTS || signal?.aborted) throw error;
      await wait(error.retryAfterMs ?? backoff(number)).done;
    }
  }
}
