import assert from 'node:assert/strict';
import test from 'node:test';
import { MemoryStore, PlazaClient } from '../dist/index.js';

const OPERATION = 'subscription Home($after: String) { homeUpdated(after: $after) { cursor } }';

const GRANTED = {
  accessToken: 'access',
  refreshToken: 'refresh',
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  viewer: { user: { id: 'u1', handle: 'ada', displayName: 'Ada' } },
  userErrors: [],
};

/** Sockets whose other end is the test. */
function setUp() {
  const sockets = [];
  class FakeSocket {
    sent = [];
    readyState = 0;
    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
    open() {
      this.readyState = 1;
      this.onopen();
      this.says({ type: 'connection_ack' });
    }
    says(message) {
      this.onmessage({ data: JSON.stringify(message) });
    }
    subscribed() {
      return this.sent.filter(({ type }) => type === 'subscribe');
    }
  }
  const fetch = async () => new Response(JSON.stringify({ data: { result: GRANTED } }));
  const url = 'http://plaza/graphql';
  const settings = { url, store: new MemoryStore(), webSocket: FakeSocket, fetch };
  const client = new PlazaClient(settings);
  const socket = async (number) => {
    while (!sockets[number]) await new Promise((resolve) => setTimeout(resolve, 5));
    return sockets[number];
  };
  return { client, socket, sockets };
}
const event = (id, cursor) => ({
  type: 'next',
  id,
  payload: { data: { homeUpdated: { cursor } } },
});

test('after a broken connection a subscription resumes from its last cursor', async () => {
  const { client, socket } = setUp();
  const seen = [];
  client.subscribe(OPERATION, {}, { next: ({ homeUpdated }) => seen.push(homeUpdated.cursor) });
  const first = await socket(0);
  assert.equal(first.url, 'ws://plaza/graphql');
  assert.equal(first.protocol, 'graphql-transport-ws');
  first.open();
  const [{ id, payload }] = first.subscribed();
  assert.equal(payload.variables.after, undefined);
  first.says(event(id, 'c1'));
  first.says(event(id, 'c2'));
  first.onclose({ code: 1006 });
  const second = await socket(1);
  second.open();
  assert.equal(second.subscribed()[0].payload.variables.after, 'c2');
  second.says(event(id, 'c3'));
  assert.deepEqual(seen, ['c1', 'c2', 'c3']);
  client.close();
});

test('a subscription that the server cannot take now is sent again; a wrong one has ended', async () => {
  const { client, socket } = setUp();
  const errors = [];
  client.subscribe(
    OPERATION,
    {},
    { next: () => undefined, error: ({ code }) => errors.push(code) },
  );
  const only = await socket(0);
  only.open();
  const [{ id }] = only.subscribed();
  const error = (code) => {
    const payload = [{ message: code, extensions: { code, retryAfter: 0 } }];
    only.says({ type: 'error', id, payload });
  };
  error('OVERLOADED');
  while (only.subscribed().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(errors, []);
  error('GRAPHQL_VALIDATION_FAILED');
  assert.deepEqual(errors, ['GRAPHQL_VALIDATION_FAILED']);
  client.close();
});

test('a close that another attempt would repeat ends the subscriptions', async () => {
  const { client, socket, sockets } = setUp();
  const ended = new Promise((resolve) => {
    client.subscribe(OPERATION, {}, { next: () => undefined, error: resolve });
  });
  (await socket(0)).onclose({ code: 4400 });
  assert.match((await ended).message, /4400/);
  assert.equal(client.socket.state, 'closed');
  assert.equal(sockets.length, 1);
  client.close();
});

test('unsubscribing says so, completes are passed on, and a ping has its pong', async () => {
  const { client, socket } = setUp();
  let completed = 0;
  const sink = { next: () => undefined, complete: () => (completed += 1) };
  const stop = client.subscribe(OPERATION, {}, sink);
  const only = await socket(0);
  only.open();
  client.subscribe(OPERATION, {}, sink);
  const ids = only.subscribed().map(({ id }) => id);
  assert.equal(ids.length, 2);
  only.says({ type: 'ping' });
  assert.equal(only.sent.at(-1).type, 'pong');
  stop();
  assert.deepEqual(only.sent.at(-1), { type: 'complete', id: ids[0] });
  only.says({ type: 'complete', id: ids[1] });
  assert.equal(completed, 1);
  client.close();
});

test('another user has a connection of their own, and begins at no cursor of the one before', async () => {
  const { client, socket } = setUp();
  client.subscribe(OPERATION, {}, { next: () => undefined });
  const first = await socket(0);
  first.open();
  first.says(event(first.subscribed()[0].id, 'c1'));
  await client.session.logIn({ handle: 'ada', password: 'x' });
  const second = await socket(1);
  assert.equal(first.readyState, 3);
  second.open();
  assert.equal(second.subscribed()[0].payload.variables.after, undefined);
  client.close();
});

test('a lost connection is known until there is another one', async () => {
  const { client, socket } = setUp();
  client.subscribe(OPERATION, {}, { next: () => undefined }, { operationName: 'Home' });
  const first = await socket(0);
  assert.equal(client.socket.isLost, false);
  first.open();
  assert.equal(first.subscribed()[0].payload.operationName, 'Home');
  first.onclose({ code: 1006 });
  assert.equal(client.socket.isLost, true);
  (await socket(1)).open();
  assert.equal(client.socket.isLost, false);
  client.close();
});
