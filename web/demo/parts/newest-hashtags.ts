import type { Client } from 'urql';
import { graphql, readFragment, type ResultOf } from '../../shared/graphql';
import { noteHashtag } from './hashtags';

const TagFragment = graphql(`fragment Tag on TextEntity { start end hashtag }`);

export const Newest = graphql(
  `
    query NewestHashtags { posts(first: 50) { edges { cursor node { id text entities { ...Tag } } } } }
  `,
  [TagFragment],
);

/** Those of the newest posts as they are written, the newest first, each as often as it is there. */
export function hashtagsOf(data: ResultOf<typeof Newest> | undefined): string[] {
  const posts = data?.posts?.edges ?? [];
  return posts.flatMap(({ node }) =>
    node.entities
      .map((masked) => readFragment(TagFragment, masked))
      .filter(({ hashtag }) => hashtag !== null)
      .map(({ start, end }) => node.text.slice(start + 1, end)),
  );
}

/** Notes them; whether they could be had. */
export async function noteNewestHashtags(client: Client): Promise<boolean> {
  const { data } = await client.query(Newest, {}).toPromise();
  // The newest last: they are proposed first.
  hashtagsOf(data).reverse().forEach(noteHashtag);
  return Boolean(data?.posts);
}
