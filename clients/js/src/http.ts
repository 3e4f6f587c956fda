import { print, type DocumentNode } from 'graphql';
import { CONSISTENCY, type Consistency } from './consistency.js';
import { RequestFailed, type GraphQLFailure } from './errors.js';
import { IDEMPOTENCY_KEY } from './idempotency.js';

/** An operation with its types, as code generators and gql.tada make it; or its text. */
export interface TypedDocument<Data, Variables> extends DocumentNode {
  __apiType?: (variables: Variables) => Data;
}
export type Operation<Data, Variables> = TypedDocument<Data, Variables> | string;

export function textOf(operation: Operation<never, never> | DocumentNode | string): string {
  return typeof operation === 'string' ? operation : print(operation);
}

export interface Response<Data> {
  data: Data;
  /** Errors of single fields, which are null in `data`. */
  errors: readonly GraphQLFailure[];
}

/** A request as it travels: more than `query` and `variables` for tools that show all of it. */
export interface GraphQLRequest {
  query: string;
  variables?: unknown;
  operationName?: string | null;
  extensions?: unknown;
}

/** A response as it came: without `data` the request was refused. */
export interface GraphQLResponse {
  data?: unknown;
  errors?: readonly GraphQLFailure[];
  extensions?: unknown;
}

export interface Sending {
  /** The access token. */
  token?: string | null;
  /** These win over the client's own. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** The idempotency key of a mutation. */
  key?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface HttpOptions {
  url: string;
  fetch: typeof fetch;
  /** How long one attempt may take, in milliseconds. */
  deadlineMs: number;
}

export interface Answer {
  status: number;
  /** In milliseconds. */
  retryAfterMs: number | undefined;
  body: GraphQLResponse | null;
}

/** One attempt at a request, with the consistency tokens of the ones before. */
export class Http {
  constructor(
    readonly options: HttpOptions,
    readonly consistency: Consistency,
  ) {}

  /**
   * Sends one request, once.
   *
   * @throws RequestFailed without a code when there was no response; with the first error's code
   * when the response has no data.
   */
  async send<Data>(query: string, variables: unknown, sending: Sending): Promise<Response<Data>> {
    return dataOf<Data>(await this.post({ query, variables }, sending));
  }

  /** Sends one request, once, whatever the response is. */
  post(request: GraphQLRequest, sending: Sending): Promise<Answer> {
    return this.#fetch(JSON.stringify(request), sending);
  }

  async #fetch(request: string, sending: Sending): Promise<Answer> {
    const sent = this.consistency.header;
    const answer = await this.#once(request, sending, sent);
    // A token from before a change of keys or versions: such a request was not run.
    const message = answer.status === 400 ? answer.body?.errors?.[0]?.message : undefined;
    if (!sent || !message?.includes(CONSISTENCY)) return answer;
    this.consistency.clear();
    return this.#once(request, sending, null);
  }

  async #once(body: string, sending: Sending, sent: string | null): Promise<Answer> {
    const headers = new Headers({
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    });
    if (sent) headers.set(CONSISTENCY, sent);
    if (sending.key) headers.set(IDEMPOTENCY_KEY, sending.key);
    if (sending.token) headers.set('authorization', `Bearer ${sending.token}`);
    for (const [name, value] of Object.entries(sending.headers ?? {})) headers.set(name, value);
    const { url, fetch, deadlineMs } = this.options;
    const attempt = new AbortController();
    const abort = () => attempt.abort(sending.signal?.reason);
    const deadline = setTimeout(() => attempt.abort(), deadlineMs);
    sending.signal?.addEventListener('abort', abort, { once: true });
    try {
      sending.signal?.throwIfAborted();
      const response = await fetch(url, { method: 'POST', headers, body, signal: attempt.signal });
      // Read to the end within the deadline: a connection may break after the headers.
      const text = await response.text();
      this.consistency.note(sent, response.headers.get(CONSISTENCY));
      return {
        status: response.status,
        retryAfterMs: millisecondsOf(response.headers.get('retry-after')),
        body: parsed(text),
      };
    } catch (error) {
      if (sending.signal?.aborted) throw error;
      throw new RequestFailed('no response');
    } finally {
      clearTimeout(deadline);
      sending.signal?.removeEventListener('abort', abort);
    }
  }
}

/** The data of an answer, and why there is none: see {@link Http.send}. */
export function dataOf<Data>({ status, retryAfterMs, body }: Answer): Response<Data> {
  const { data, errors = [] } = (body ?? {}) as Partial<Response<Data>>;
  if (data) return { data, errors };
  const message = errors[0]?.message ?? `the server responded with status ${status}`;
  throw new RequestFailed(message, errors, retryAfterMs);
}

function millisecondsOf(header: string | null): number | undefined {
  const seconds = Number(header ?? Number.NaN);
  return seconds >= 0 ? seconds * 1_000 : undefined;
}

/** A proxy on the way may respond with something else than JSON. */
function parsed(text: string): Answer['body'] {
  try {
    return JSON.parse(text) as Answer['body'];
  } catch {
    return null;
  }
}
