// Fastify, Mercurius, graphql-jit and DataLoader, as their documentation puts them together: the
// fastest of the usual GraphQL servers of Node. Statements are prepared; a loader lives as long as
// its request.
import DataLoader from 'dataloader';
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import { connections, database, everywhere, port } from './workers.mjs';

const schema = `
  type Query { posts(ids: [ID!]!): [Post]! }
  type Post {
    text: String!
    author: User
    likeCount: Int
    commentCount: Int
    comments(first: Int! = 20): CommentConnection
  }
  type CommentConnection { edges: [CommentEdge!]! }
  type CommentEdge { node: Comment! }
  type Comment { text: String!, author: User }
  type User { handle: String! }
`;

const POSTS = `SELECT id, author_id, text FROM posts WHERE id = ANY($1) AND NOT deleted`;
const USERS = `SELECT id, handle FROM users WHERE id = ANY($1)`;
const COUNTS = `SELECT p.id,
    (CASE WHEN c.version = p.version THEN c.like_count
          ELSE (SELECT count(*) FROM likes l WHERE l.post_id = p.id) END)::int AS likes,
    (CASE WHEN c.version = p.version THEN c.comment_count
          ELSE (SELECT count(*) FROM comments m WHERE m.post_id = p.id) END)::int AS comments
  FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id WHERE p.id = ANY($1)`;
const COMMENTS = `SELECT c.post_id, c.author_id, c.text FROM unnest($1::bigint[]) AS p(id)
  CROSS JOIN LATERAL (SELECT id, post_id, author_id, text FROM comments
                      WHERE post_id = p.id AND in_reply_to IS NULL ORDER BY id LIMIT $2) c
  ORDER BY c.id`;

const pool = new pg.Pool({ connectionString: database, max: connections, idleTimeoutMillis: 0 });

const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;

/** Rows by their id, in the order asked for; null where there is none. */
async function byId(name, text, ids) {
  const found = new Map((await rows(name, text, [ids])).map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

/** The first comments of posts, by how many are asked for: one statement for each number. */
async function firstComments(keys) {
  const limits = new Map();
  for (const { post, first } of keys) limits.set(first, [...(limits.get(first) ?? []), post]);
  const lists = new Map();
  const load = async ([first, posts]) => {
    const found = new Map(posts.map((post) => [post, []]));
    for (const row of await rows('comments', COMMENTS, [posts, first])) {
      found.get(row.post_id).push(row);
    }
    lists.set(first, found);
  };
  await Promise.all([...limits].map(load));
  return keys.map(({ post, first }) => lists.get(first).get(post));
}

const loaders = () => ({
  posts: new DataLoader((ids) => byId('posts', POSTS, ids)),
  users: new DataLoader((ids) => byId('users', USERS, ids)),
  counts: new DataLoader((ids) => byId('counts', COUNTS, ids)),
  comments: new DataLoader(firstComments, { cacheKeyFn: ({ post, first }) => `${post}:${first}` }),
});

const author = (row, _, { users }) => users.load(row.author_id);
const resolvers = {
  Query: { posts: (_, { ids }, { posts }) => posts.loadMany(ids) },
  Post: {
    author,
    likeCount: async (post, _, { counts }) => (await counts.load(post.id)).likes,
    commentCount: async (post, _, { counts }) => (await counts.load(post.id)).comments,
    comments: async (post, { first }, { comments }) => {
      const list = await comments.load({ post: post.id, first });
      return { edges: list.map((node) => ({ node })) };
    },
  },
  Comment: { author },
};

await everywhere(async () => {
  const app = Fastify({ logger: false });
  await app.register(mercurius, { schema, resolvers, context: loaders, jit: 1 });
  app.get('/ready', async () => 'ready');
  await app.listen({ host: '127.0.0.1', port, backlog: 511 });
});
