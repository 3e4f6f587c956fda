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

export interface Sending {
  /** The access token. */
  token?: string | null;
  /** The idempotency key of a mutation. */
  key?: string;
  signal?: AbortSignal | undefined;
}

export interface HttpOptions {
  url: string;
  fetch: typeof fetch;
  /** How long one attempt may take, in milliseconds. */
  deadlineMs: number;
}

interface Answer {
  status: number;
  /** In seconds. */
  retryAfter: number | null;
  body: { data?: unknown; errors?: GraphQLFailure[] } | null;
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
    const { status, retryAfter, body } = await this.#fetch(
      JSON.stringify({ query, variables }),
      sending,
    );
    const { data, errors = [] } = (body ?? {}) as Partial<Response<Data>>;
    if (data) return { data, errors };
    const message = errors[0]?.message ?? `the server responded with status ${status}`;
    throw new RequestFailed(message, errors, retryAfter === null ? undefined : 1_000 * retryAfter);
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
        retryAfter: secondsOf(response.headers.get('retry-after')),
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

function secondsOf(header: string | null): number | null {
  const seconds = Number(header ?? Number.NaN);
  return seconds >= 0 ? seconds : null;
}

/** A proxy on the way may respond with something else than JSON. */
function parsed(text: string): Answer['body'] {
  try {
    return JSON.parse(text) as Answer['body'];
  } catch {
    return null;
  }
}
