// The demo's cache over a plaza that is made up: what is asked of it is noted, and answered by hand.
import { bundled } from './bundle.mjs';

const { Arrivals, Client, createCache, gql, makeSubject, map, mergeMap, never, pipe, subscribe } =
  await bundled(`
    export { createCache } from './demo/api/cache';
    export { Arrivals } from './demo/live/arrivals';
    export { Client, gql } from '@urql/core';
    export { makeSubject, map, mergeMap, never, pipe, subscribe } from 'wonka';
  `);

export const ME = { userId: 'me', handle: 'me', displayName: 'Me' };

/** The client looks again at what has changed a moment later. */
const settled = () => new Promise(setImmediate);

/**
 * A client whose every operation waits in `asked` until it is told: `await asked.at(-1).tell(data)`.
 * `watch` follows a query as a page does.
 */
export function aClient() {
  const asked = [];
  const fake = () => (operations) =>
    pipe(
      operations,
      mergeMap((operation) => {
        if (operation.kind === 'teardown') return never;
        const { source, next } = makeSubject();
        const tell = (data) => {
          next(data);
          return settled();
        };
        asked.push({ operation, variables: operation.variables, tell });
        const hasNext = operation.kind === 'subscription';
        return pipe(
          source,
          map((data) => ({ operation, data, stale: false, hasNext })),
        );
      }),
    );
  const arrivals = new Arrivals();
  const client = new Client({
    url: 'http://plaza.invalid',
    preferGetMethod: false,
    exchanges: [createCache(ME, arrivals), fake],
  });
  const follow = (source) => {
    const seen = { data: undefined, times: 0 };
    pipe(
      source,
      subscribe(({ data }) => {
        seen.data = data;
        seen.times += 1;
      }),
    );
    return seen;
  };
  return {
    asked,
    arrivals,
    watch: (query, variables = {}, context = {}) => follow(client.query(query, variables, context)),
    run: (mutation, variables) => {
      follow(client.mutation(mutation, variables));
      return settled();
    },
    listen: (subscription) => follow(client.subscription(subscription, {})),
  };
}

const POST = gql`
  fragment TestPost on Post {
    id
    text
    createdAt
    likeCount
    commentCount
    viewerHasLiked
    author {
      id
      handle
    }
  }
`;

export const HOME = gql`
  query Home($after: String) {
    viewer {
      home(first: 2, after: $after) {
        edges {
          cursor
          node {
            ...TestPost
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
  ${POST}
`;

/** A post; its number is its minute, so that a higher one is newer. */
export const post = (number, more = {}) => ({
  __typename: 'Post',
  id: `p${number}`,
  text: `Post ${number}`,
  createdAt: new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString(),
  likeCount: 0,
  commentCount: 0,
  viewerHasLiked: false,
  author: { __typename: 'User', id: 'ada', handle: 'ada' },
  ...more,
});

export const cursor = (number) => `c${number}`;

/** A page of home: these posts, and the cursor that it ends with, if there is more. */
export const home = (numbers, end = null) => ({
  viewer: {
    __typename: 'Viewer',
    home: {
      __typename: 'PostConnection',
      edges: numbers.map((number) => ({
        __typename: 'PostEdge',
        cursor: cursor(number),
        node: post(number),
      })),
      pageInfo: { __typename: 'PageInfo', endCursor: end, hasNextPage: end !== null },
    },
  },
});

/** The numbers of the posts that a page of home shows. */
export const shown = ({ data }) =>
  data.viewer.home.edges.map(({ node }) => Number(node.id.slice(1)));

/** Their texts: what is not sent has no number. */
export const texts = ({ data }) => data.viewer.home.edges.map(({ node }) => node.text);

export { gql, POST };
