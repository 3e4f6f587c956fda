/**
 * Posts that came while the home feed was open, held back until the reader asks for them: a list that moves under the finger is a bad list.
 * Written by the cache, read by the feed.
 */
export class Arrivals {
  #held: ReadonlySet<string> = new Set();
  #listeners = new Set<() => void>();

  /** The posts that are in the list, but not shown yet; the same object until it changes. */
  get held(): ReadonlySet<string> {
    return this.#held;
  }

  hold(postId: string): void {
    this.#change(new Set(this.#held).add(postId));
  }

  show(): void {
    this.#change(new Set());
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #change(held: ReadonlySet<string>): void {
    this.#held = held;
    for (const listener of this.#listeners) listener();
  }
}
