// @plaza/client (clients/js) against a plaza of its own, through a network that breaks.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import WebSocket from 'ws';
import { MemoryStore, PlazaClient } from '../../clients/js/dist/index.js';
import { random } from './specification/generator.mjs';
import { pause, tunnel, until } from './support/tunnel.mjs';

const url = process.env.PLAZA_URL;
assert.ok(url, 'PLAZA_URL is not set');

const POST =
  'mutation Post($input: PostCreateInput!) { postCreate(input: $input) { post { id } userErrors { message } } }';
const POSTS = `query Posts($after: String) { viewer { user {
  posts(first: 50, after: $after) { nodes { text } pageInfo { hasNextPage endCursor } } } } }`;
const HOME = `subscription Home($after: String) {
  homeUpdated(after: $after) { cursor node { text } } }`;

/** A client that ends with the test, also when the test fails: it would go on for ever. */
function newClient(t, options) {
  const client = new PlazaClient({ url, webSocket: WebSocket, ...options });
  t.after(() => client.close());
  return client;
}

/** A new user's client and its store, with the session in it. */
async function newUser(t) {
  const store = new MemoryStore();
  const client = newClient(t, { store });
  const handle = `j${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const [email, password] = [`${handle}@example.org`, 'correct horse'];
  const errors = await client.session.signUp({ handle, email, displayName: 'Client', password });
  assert.deepEqual(errors, []);
  return { client, store };
}

/** Every post of the user, oldest first. */
async function postsOf(client) {
  const texts = [];
  for (let after = null; ;) {
    const { data } = await client.query(POSTS, { after });
    const { nodes, pageInfo } = data.viewer.user.posts;
    texts.unshift(...nodes.map(({ text }) => text).reverse());
    if (!pageInfo.hasNextPage) return texts;
    after = pageInfo.endCursor;
  }
}

/** A client whose process can be killed: nothing of it reaches the network or the store after. */
function newProcess(t, options) {
  let killed = false;
  const fetch = async (...request) => {
    if (killed) throw new Error('killed');
    const response = await globalThis.fetch(...request);
    // Killed while it waited: whatever the response is, nobody reads it.
    return killed ? new Promise(() => undefined) : response;
  };
  const client = newClient(t, { ...options, fetch });
  return {
    client,
    kill() {
      killed = true;
      client.close();
    },
  };
}

const CUTS = 50;
const MUTATIONS = 150;

test(
  'mutations through 50 cuts and 5 kills: none lost, none doubled, in order',
  { timeout: 300_000 },
  async (t) => {
    const seed = Number(process.env.PLAZA_SEED ?? Math.floor(Math.random() * 2 ** 32));
    const chance = random(seed);
    const way = await tunnel(t, url);
    const { store, client: direct } = await newUser(t);
    const start = () => newProcess(t, { url: way.url, store, deadlineMs: 2_000 });
    let running = start();
    let [cuts, kills, added] = [0, 0, 0];
    const expected = Array.from({ length: MUTATIONS }, (_, number) => `tap ${number}`);
    const taps = (async () => {
      for (const text of expected) {
        // Its promise ends with the process; what is in the store does not.
        running.client.enqueue(POST, { input: { text } }).catch(() => undefined);
        added += 1;
        await pause(chance.below(60));
      }
    })();
    while (cuts < CUTS) {
      await pause(20 + chance.below(120));
      if (chance.chance(0.4)) way.deafen();
      else await way.cut(chance.below(150));
      cuts += 1;
      if (cuts % 10 === 0) {
        running.kill();
        kills += 1;
        running = start();
      }
    }
    await taps;
    await until('the queue is empty', () => running.client.queue.entries.length === 0);
    const posts = await postsOf(direct);
    t.diagnostic(
      `seed ${seed}: ${cuts} cuts, ${kills} kills, ${added} taps, ${posts.length} posts`,
    );
    assert.deepEqual(posts, expected, `PLAZA_SEED=${seed}`);
  },
);

test('a token that is refused is renewed, and everything goes on', async (t) => {
  const { client, store } = await newUser(t);
  const spoilt = { ...JSON.parse(store.getItem('plaza')), accessToken: 'no.token.atall' };
  store.setItem('plaza', JSON.stringify(spoilt));
  const next = newClient(t, { store });
  await next.enqueue(POST, { input: { text: 'after the token' } });
  assert.deepEqual(await postsOf(next), ['after the token']);
  assert.notEqual(next.session.current.accessToken, spoilt.accessToken);
  // By socket: closed with 4403, renewed, opened again.
  store.setItem(
    'plaza',
    JSON.stringify({ ...next.session.current, accessToken: 'no.token.atall' }),
  );
  const third = newClient(t, { store });
  const seen = [];
  third.subscribe(HOME, {}, { next: ({ homeUpdated }) => seen.push(homeUpdated.node.text) });
  await until('the socket is open', () => third.socket.state === 'open');
  await until('an event has come', async () => {
    await third.mutate(POST, { input: { text: 'live' } });
    return seen.includes('live');
  });
});

test(
  'a subscription through breaks has the events of an unbroken one, each once, in its order',
  { timeout: 120_000 },
  async (t) => {
    const way = await tunnel(t, url);
    const { store, client } = await newUser(t);
    const listen = (options) => {
      const texts = [];
      const listener = newClient(t, { ...options, store });
      listener.subscribe(
        HOME,
        {},
        { next: ({ homeUpdated }) => texts.push(homeUpdated.node.text) },
      );
      return texts;
    };
    // Fan-outs may overtake one another: the order is the one that an unbroken connection has.
    const [broken, unbroken] = [listen({ url: way.url }), listen({})];
    await until('the first event has come', async () => {
      await client.mutate(POST, { input: { text: 'first' } });
      return broken.length > 0 && unbroken.length > 0;
    });
    const expected = Array.from({ length: 30 }, (_, number) => `event ${number}`);
    for (const [number, text] of expected.entries()) {
      if (number % 3 === 0) void way.cut(number * 5);
      await client.enqueue(POST, { input: { text } });
    }
    // There may be several of the first ones, and late.
    const events = (texts) => texts.filter((text) => text.startsWith('event'));
    const all = (texts) => events(texts).length >= expected.length;
    await until('the last event has come', () => all(broken) && all(unbroken));
    assert.deepEqual(events(broken), events(unbroken));
    assert.deepEqual(events(broken).sort(), [...expected].sort());
  },
);

/** A PNG of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

test('an image is sent with its progress, and refused for a reason', async (t) => {
  const { client } = await newUser(t);
  const shares = [];
  const id = await client.upload(new Blob([PNG]), {
    altText: 'A square.',
    onProgress: (share) => shares.push(share),
  });
  assert.equal(shares.at(-1), 1);
  const { data } = await client.query(
    'query($id: ID!) { node(id: $id) { ... on Image { status } } }',
    { id },
  );
  assert.equal(data.node.status, 'READY');
  await assert.rejects(client.upload(new Blob(['this is no image'])), {
    name: 'UploadRefused',
    reason: 'UNSUPPORTED_FORMAT',
  });
});
