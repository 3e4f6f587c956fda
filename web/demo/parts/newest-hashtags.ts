import type { Client } from 'urql';
import { graphql, readFragment } from '../../shared/graphql';
import { noteHashtag } from './hashtags';

const TagFragment = graphql(`fragment Tag on TextEntity { start end hashtag }`);

const Newest = graphql(
  `
    query NewestHashtags { posts(first: 50) { edges { cursor node { id text entities { ...Tag } } } } }
  `,
  [TagFragment],
);

/** Notes those of the newest posts; whether they could be had. */
export async function noteNewestHashtags(client: Client): Promise<boolean> {
  const { data } = await client.query(Newest, {}).toPromise();
  // The newest last: they are proposed first.
  for (const { node } of [...(data?.posts?.edges ?? [])].reverse())
    for (const masked of node.entities) {
      const { start, end, hashtag } = readFragment(TagFragment, masked);
      if (hashtag) noteHashtag(node.text.slice(start + 1, end));
    }
  return Boolean(data?.posts);
}
