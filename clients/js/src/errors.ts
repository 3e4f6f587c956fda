/** An entry of a response's `errors`. */
export interface GraphQLFailure {
  message: string;
  path?: readonly (string | number)[];
  extensions?: { code?: string; requestId?: string; retryAfter?: number };
}

/** A business error of a mutation: an entry of its payload's `userErrors`. */
export interface UserError {
  code: string;
  message: string;
  path: readonly string[];
}

/** After these errors the same request, under the same idempotency key, may succeed. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'RATE_LIMITED',
  'SHARD_UNAVAILABLE',
  'CLOCK_REFUSED',
  'TIMEOUT',
]);

/** A request that got no response, or a response without the data that was asked for. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  /** `extensions.code` of the first error; absent when there was no GraphQL response. */
  readonly code: string | undefined;
  /** How long to wait before the next attempt, in milliseconds, where the server said so. */
  readonly retryAfterMs: number | undefined;
  readonly errors: readonly GraphQLFailure[];

  constructor(message: string, errors: readonly GraphQLFailure[] = [], retryAfterMs?: number) {
    super(message);
    const extensions = errors[0]?.extensions;
    this.errors = errors;
    this.code = errors.length > 0 ? (extensions?.code ?? 'UNKNOWN') : undefined;
    const seconds = extensions?.retryAfter;
    this.retryAfterMs = seconds === undefined ? retryAfterMs : seconds * 1_000;
  }

  /** Whether the same request may succeed later: no response, or a transient error. */
  get isTransient(): boolean {
    return this.code === undefined || TRANSIENT.has(this.code);
  }
}

export function isTransient(error: unknown): error is RequestFailed {
  return error instanceof RequestFailed && error.isTransient;
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof RequestFailed && error.code === code;
}
