/** Where the API is: the page's own origin. */
export const ENDPOINT = '/graphql';

const CONSISTENCY = 'Plaza-Consistency';
/** plaza's proxy gives up after 8 s; past this the connection itself is dead. */
const DEADLINE_MS = 12_000;

/**
 * `fetch` that reads its own writes: replicas follow the primaries by a moment, so what plaza says of the last write is sent along with every
 * later request. Kept for the tab: a reload must not show an older world.
 */
export const plazaFetch: typeof fetch = async (input, init = {}) => {
  const headers = new Headers(init.headers);
  const last = sessionStorage.getItem(CONSISTENCY);
  if (last && !headers.has(CONSISTENCY)) headers.set(CONSISTENCY, last);
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
  let response = await fetch(input, { ...init, headers, signal });
  if (response.status === 400 && last && headers.get(CONSISTENCY) === last) {
    // Perhaps a token of an older version, or from before a change of keys: such a request was not run.
    const { errors } = (await response
      .clone()
      .json()
      .catch(() => ({}))) as { errors?: { message?: string }[] };
    if (errors?.[0]?.message?.includes(CONSISTENCY)) {
      forgetWrites();
      headers.delete(CONSISTENCY);
      response = await fetch(input, { ...init, headers, signal });
    }
  }
  const next = response.headers.get(CONSISTENCY);
  if (next) {
    const held = sessionStorage.getItem(CONSISTENCY);
    sessionStorage.setItem(CONSISTENCY, joined(held, headers.get(CONSISTENCY), next));
  }
  return response;
};

/** plaza takes at most 16; those that came last are kept. */
const MOST_TOKENS = 8;

/**
 * What is held after an answer: its token holds those that its request had. One that came meanwhile
 * with another answer is in neither, and is kept beside it.
 */
function joined(held: string | null, sent: string | null, next: string): string {
  const tokens = (header: string | null) => header?.split(', ') ?? [];
  const within = new Set([...tokens(sent), next]);
  return [...tokens(held).filter((token) => !within.has(token)), next]
    .slice(-MOST_TOKENS)
    .join(', ');
}

/** Another person's writes are none of the next one's business. */
export function forgetWrites(): void {
  sessionStorage.removeItem(CONSISTENCY);
}
