import { useEffect, useRef, type RefObject } from 'react';
import { useClient, type Client } from 'urql';
import { graphql } from '../../shared/graphql';

const Record = graphql(`
  mutation RecordViews($postIds: [ID!]!) {
    postViewsRecord(input: { postIds: $postIds }) { recorded userErrors { code message path } }
  }
`);

/** How long views are gathered, and how many plaza takes at once. */
const [GATHER_MS, AT_ONCE] = [1_500, 100];

/** What came into sight and is not told yet; each post once for as long as the page lives. */
class Seen {
  private readonly told = new Set<string>();
  private waiting: string[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly api: Client) {}

  add(postId: string): void {
    if (this.told.has(postId)) return;
    this.told.add(postId);
    this.waiting.push(postId);
    this.timer ??= setTimeout(this.tell, GATHER_MS);
  }

  private readonly tell = (): void => {
    this.timer = undefined;
    const postIds = this.waiting.splice(0, AT_ONCE);
    if (this.waiting.length > 0) this.timer = setTimeout(this.tell, GATHER_MS);
    // Telemetry: whether it arrived changes nothing here.
    void this.api.mutation(Record, { postIds }).toPromise();
  };
}

const seen = new WeakMap<Client, Seen>();

/** Tells plaza that a post was seen once most of it has been in sight; null is none of plaza's. */
export function useSeen(postId: string | null): RefObject<HTMLElement | null> {
  const api = useClient();
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!element.current || postId === null) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        const own = seen.get(api) ?? new Seen(api);
        seen.set(api, own);
        own.add(postId);
      },
      { threshold: 0.6 },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [api, postId]);
  return element;
}
