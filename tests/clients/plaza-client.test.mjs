// @plaza/client (clients/js) against a plaza of its own, through a network that breaks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { tunnel, until } from './support/tunnel.mjs';
import { POST, newClient, newUser, postsOf, url } from './support/users.mjs';

const HOME = `subscription Home($after: String) {
  homeUpdated(after: $after) { cursor node { text } } }`;

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
