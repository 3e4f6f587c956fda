/**
 * Posts that came while the home feed was open, held back until the reader asks for them: a list that moves under the finger is a bad list.
 * Written by the cache, read by the feed.
 */
export class Arrivals {
  #held: ReadonlySet<string> = new Set();
  #missed = false;
  #listeners = new Set<() => void>();

  /** The posts that are in the list, but not shown yet; the same object until it changes. */
  get held(): ReadonlySet<string> {
    return this.#held;
  }

  arrived(postId: string, listed: boolean): void {
    // Before the list was loaded there was nothing to put it into; asked for at the same moment, the list may lack it.
    if (!listed) this.#missed = true;
    this.#change(new Set(this.#held).add(postId));
  }

  /** Lets all be shown; true when the list has to be loaded again for that. */
  show(): boolean {
    const missed = this.#missed;
    this.#missed = false;
    this.#change(new Set());
    return missed;
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
