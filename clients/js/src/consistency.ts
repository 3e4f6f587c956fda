/** The header in which a consistency token travels, both ways. */
export const CONSISTENCY = 'Plaza-Consistency';

/** The server takes at most 16 tokens with a request; the newest are kept. */
const MOST_TOKENS = 8;

/**
 * Consistency tokens of this client's writes. Sent with a request they make its reads see those
 * writes, whichever replica responds. A response's token includes the tokens of its own request,
 * but not those of requests that ran beside it: these are kept side by side.
 */
export class Consistency {
  #tokens: readonly string[] = [];

  /** The header's value; null when there is nothing to send. */
  get header(): string | null {
    return this.#tokens.length > 0 ? this.#tokens.join(', ') : null;
  }

  /** Records the token of a response to a request that was sent with `sent`. */
  note(sent: string | null, received: string | null): void {
    if (!received) return;
    const within = new Set([...(sent?.split(', ') ?? []), received]);
    const others = this.#tokens.filter((token) => !within.has(token));
    this.#tokens = [...others, received].slice(-MOST_TOKENS);
  }

  clear(): void {
    this.#tokens = [];
  }
}
