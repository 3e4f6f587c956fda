import { MemoryStore, type Store } from './platform.js';

/** The header in which a consistency token travels, both ways. */
export const CONSISTENCY = 'Plaza-Consistency';

/** The server takes at most 16 tokens with a request; the newest are kept. */
const MOST_TOKENS = 8;

/** Where tokens are kept: `sessionStorage`, so that a page's reload shows no older state. */
export type TokenStore = Pick<Store, 'getItem' | 'setItem' | 'removeItem'>;

/**
 * Consistency tokens of this client's writes. Sent with a request they make its reads see those
 * writes, whichever replica responds. A response's token includes the tokens of its own request,
 * but not those of requests that ran beside it: these are kept side by side.
 */
export class Consistency {
  constructor(private readonly store: TokenStore = new MemoryStore()) {}

  /** The header's value; null when there is nothing to send. */
  get header(): string | null {
    return this.store.getItem(CONSISTENCY);
  }

  /** Records the token of a response to a request that was sent with `sent`. */
  note(sent: string | null, received: string | null): void {
    if (!received) return;
    const within = new Set([...tokensOf(sent), received]);
    const others = tokensOf(this.header).filter((token) => !within.has(token));
    this.store.setItem(CONSISTENCY, [...others, received].slice(-MOST_TOKENS).join(', '));
  }

  clear(): void {
    this.store.removeItem(CONSISTENCY);
  }
}

function tokensOf(header: string | null): string[] {
  return header?.split(', ') ?? [];
}
