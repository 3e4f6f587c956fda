import type { Client } from 'urql';
import { graphql, readFragment } from '../../shared/graphql';

const MOST = 200;
const seen = new Map<string, string>();

/** A hashtag that came by; the newest are remembered for who begins to write one. */
export function noteHashtag(name: string): void {
  const key = name.toLowerCase();
  seen.delete(key);
  seen.set(key, name);
  const oldest = seen.keys().next().value;
  if (seen.size > MOST && oldest !== undefined) seen.delete(oldest);
}

/** Hashtags that came by and begin like this, the latest first. */
export function hashtagsLike(beginning: string, most: number): string[] {
  const key = beginning.toLowerCase();
  return [...seen]
    .filter(([name]) => name.startsWith(key) && name !== key)
    .map(([, name]) => name)
    .reverse()
    .slice(0, most);
}

const TagFragment = graphql(`fragment Tag on TextEntity { start end hashtag }`);

const Newest = graphql(
  `
    query NewestHashtags { posts(first: 50) { edges { cursor node { id text entities { ...Tag } } } } }
  `,
  [TagFragment],
);

const asked = new WeakSet<Client>();

/**
 * Notes those of the newest posts, once a visit: a page that was just opened has seen none yet.
 * Whether it did.
 */
export async function askForHashtags(client: Client): Promise<boolean> {
  if (asked.has(client)) return false;
  asked.add(client);
  const { data } = await client.query(Newest, {}).toPromise();
  // Asked again with the next hashtag, where it could not be had.
  if (!data?.posts) asked.delete(client);
  // The newest last: they are proposed first.
  for (const { node } of [...(data?.posts?.edges ?? [])].reverse())
    for (const masked of node.entities) {
      const { start, end, hashtag } = readFragment(TagFragment, masked);
      if (hashtag) noteHashtag(node.text.slice(start + 1, end));
    }
  return true;
}
