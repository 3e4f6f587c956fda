import type { CombinedError } from 'urql';
import { isTransient } from '../../shared/request';
import type { UserError } from '../../shared/session';

/** Why something could not be done, in words; for a form also by the input's fields. */
export interface Problem {
  message: string;
  fields: Record<string, string>;
}

export function problemOfErrors(errors: readonly UserError[]): Problem {
  const fields: Record<string, string> = {};
  const messages = errors.map(plain);
  errors.forEach(({ path }, index) => (fields[path.at(-1) ?? ''] ??= messages[index] ?? ''));
  return { message: messages.join(' '), fields };
}

/** How a form calls the input's fields. */
const NAMES: Record<string, string> = {
  displayName: 'The name',
  text: 'The text',
  userId: 'The person',
  postId: 'The post',
  productId: 'The product',
  quantity: 'The quantity',
  email: 'The e-mail address',
};

/** A refusal as a sentence: plaza's own words, which may begin with what is said of the field. */
function plain({ path, message }: UserError): string {
  const field = path.at(-1) ?? '';
  const subject = NAMES[field] ?? `The ${field || 'input'}`;
  const whole = /^(is|are|must|may|has|have|can|cannot|needs)\b/.test(message)
    ? `${subject} ${message}`
    : message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
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
  if (error.networkError) return 'plaza cannot be reached right now.';
  const first = error.graphQLErrors[0];
  const { code, requestId, retryAfter } = (first?.extensions ?? {}) as {
    code?: string;
    requestId?: string;
    retryAfter?: number;
  };
  switch (code) {
    case 'UNAUTHENTICATED':
      return 'Log in to do this.';
    case 'FORBIDDEN':
      return 'This is not yours to see.';
    case 'RATE_LIMITED':
      return `That was a lot at once. Try again in ${retryAfter ?? 'a few'} seconds.`;
    case 'OVERLOADED':
    case 'TIMEOUT':
      return 'plaza is very busy. Try again in a moment.';
    case 'SHARD_UNAVAILABLE':
      return 'A part of plaza cannot be reached right now.';
    case 'OUTCOME_UNKNOWN':
      return 'It is not sure whether this was done. Try again: it will be done once.';
    case 'INTERNAL':
      return `Something went wrong at plaza${requestId ? ` (${requestId})` : ''}.`;
    default:
      return first?.message ?? error.message;
  }
}

/** Whether plaza may have done it without saying so: trying again is then the same action, under the same key. */
export function isUnsettled(error: CombinedError | undefined): boolean {
  return (
    !!error &&
    (error.networkError !== undefined ||
      error.graphQLErrors.some(({ extensions }) => isTransient(extensions.code)))
  );
}
