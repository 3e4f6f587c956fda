// Users of a plaza by @plaza/client.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { MemoryStore, PlazaClient } from '../../../clients/js/dist/index.js';

export const url = process.env.PLAZA_URL;
assert.ok(url, 'PLAZA_URL is not set');

export const POST =
  'mutation Post($input: PostCreateInput!) { postCreate(input: $input) { post { id } userErrors { message } } }';
const POSTS = `query Posts($after: String) { viewer { user {
  posts(first: 50, after: $after) { nodes { text } pageInfo { hasNextPage endCursor } } } } }`;

/** A client that ends with the test, also when the test fails: it would go on for ever. */
export function newClient(t, options) {
  const client = new PlazaClient({ url, webSocket: WebSocket, ...options });
  t.after(() => client.close());
  return client;
}

/** A new user's client and its store, with the session in it. */
export async function newUser(t) {
  const store = new MemoryStore();
  const client = newClient(t, { store });
  const handle = `j${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const [email, password] = [`${handle}@example.org`, 'correct horse'];
  const errors = await client.session.signUp({ handle, email, displayName: 'Client', password });
  assert.deepEqual(errors, []);
  return { client, store };
}

/** Every post of the user, oldest first. */
export async function postsOf(client) {
  const texts = [];
  for (let after = null; ;) {
    const { data } = await client.query(POSTS, { after });
    const { nodes, pageInfo } = data.viewer.user.posts;
    texts.unshift(...nodes.map(({ text }) => text).reverse());
    if (!pageInfo.hasNextPage) return texts;
    after = pageInfo.endCursor;
  }
}
