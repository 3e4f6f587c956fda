import { RequestFailed, type UserError } from '@plaza/client';
import type { CombinedError } from 'urql';
import { w } from '../words';

/** Why something could not be done, in words; for a form also by the input's fields. */
export interface Problem {
  message: string;
  fields: Record<string, string>;
}

export function problemOfErrors(errors: readonly UserError[]): Problem {
  const fields: Record<string, string> = {};
  const messages = errors.map(({ code, path, message }) =>
    w.refusal(code, path.at(-1) ?? '', message),
  );
  errors.forEach(({ path }, index) => (fields[path.at(-1) ?? ''] ??= messages[index] ?? ''));
  return { message: messages.join(' '), fields };
}

/** An id that cannot be one, or is of another kind of thing: the address was mistyped or cut. */
export function isNoSuchThing(error: CombinedError): boolean {
  return (
    !error.networkError &&
    error.graphQLErrors.length > 0 &&
    error.graphQLErrors.every(({ extensions }) => extensions.code === 'BAD_USER_INPUT')
  );
}

/** In words for who reads it; the codes are plaza's closed list. */
export function explain(error: CombinedError): string {
  return error.networkError ? w.unreachable : inWords(error.graphQLErrors[0], error.message);
}

/** The same for what the client threw. */
export function explainThrown(error: unknown): string {
  if (!(error instanceof RequestFailed)) return error instanceof Error ? error.message : '';
  return error.code === undefined ? w.unreachable : inWords(error.errors[0], error.message);
}

interface Failure {
  message: string;
  extensions?: { code?: string; requestId?: string; retryAfter?: number };
}

function inWords(first: Failure | undefined, otherwise: string): string {
  const { code, requestId, retryAfter } = first?.extensions ?? {};
  switch (code) {
    case 'UNAUTHENTICATED':
      return w.unauthenticated;
    case 'FORBIDDEN':
      return w.forbidden;
    case 'RATE_LIMITED':
      return w.rateLimited(retryAfter);
    case 'OVERLOADED':
    case 'TIMEOUT':
      return w.busy;
    case 'SHARD_UNAVAILABLE':
    case 'CLOCK_REFUSED':
      return w.partUnreachable;
    case 'OUTCOME_UNKNOWN':
      return w.outcomeUnknown;
    case 'INTERNAL':
      return w.internal(requestId);
    default:
      return w.failed(first?.message ?? otherwise);
  }
}

/** What was refused of a mutation, by its answer. */
export function userErrorsOf(data: unknown): UserError[] {
  const payloads = Object.values(
    (data ?? {}) as Record<string, { userErrors?: UserError[] } | null>,
  );
  return payloads.flatMap((payload) => payload?.userErrors ?? []);
}

/** Whether plaza may have done it without saying so: trying again is then the same action, under the same key. */
export function isUnsettled(error: CombinedError | undefined): boolean {
  return (
    !!error &&
    (error.networkError !== undefined ||
      new RequestFailed(error.message, failuresOf(error)).isTransient)
  );
}

function failuresOf({ graphQLErrors }: CombinedError) {
  return graphQLErrors.map(({ message, extensions }) => ({ message, extensions }));
}
