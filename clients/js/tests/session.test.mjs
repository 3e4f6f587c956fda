import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalLocks, MemoryStore, PlazaClient } from '../dist/index.js';

const HOUR_MS = 3_600_000;

/** A server with one user: tokens are numbers, a refresh token is good once. */
function server() {
  const state = { tokens: 0, refreshes: [], lose: 0, revoked: false, expiresInMs: HOUR_MS };
  const granted = () => {
    state.tokens += 1;
    return {
      accessToken: `access-${state.tokens}`,
      refreshToken: `refresh-${state.tokens}`,
      expiresAt: new Date(Date.now() + state.expiresInMs).toISOString(),
      deviceToken: 'device',
      viewer: { user: { id: 'u1', handle: 'ada', displayName: 'Ada' } },
      userErrors: [],
    };
  };
  const answers = new Map();
  const respond = (query, variables, headers) => {
    if (/logIn/.test(query)) return { data: { result: granted() } };
    if (/sessionRefresh/.test(query)) {
      const key = headers.get('idempotency-key');
      state.refreshes.push([variables.input.refreshToken, key]);
      if (state.revoked) {
        const userErrors = [{ code: 'INVALID_CREDENTIALS', message: 'refused', path: [] }];
        return { data: { result: { userErrors } } };
      }
      if (!answers.has(key)) {
        assert.equal(variables.input.refreshToken, `refresh-${state.tokens}`, 'used twice');
        answers.set(key, granted());
      }
      return { data: { result: answers.get(key) } };
    }
    if (headers.get('authorization') !== `Bearer access-${state.tokens}`) {
      return { errors: [{ message: 'refused', extensions: { code: 'UNAUTHENTICATED' } }] };
    }
    return { data: { ok: true } };
  };
  const fetch = async (_url, { body, headers }) => {
    const { query, variables } = JSON.parse(body);
    const response = respond(query, variables, headers);
    if (state.lose > 0) {
      state.lose -= 1;
      throw new TypeError('the connection was reset');
    }
    return new Response(JSON.stringify(response), { status: response.data ? 200 : 401 });
  };
  return { state, fetch };
}

function setUp({ store = new MemoryStore(), locks = new LocalLocks(), served = server() } = {}) {
  const client = new PlazaClient({
    url: 'http://plaza/graphql',
    store,
    locks,
    fetch: served.fetch,
  });
  return { client, store, locks, served, ...served };
}
const logIn = ({ client }) => client.session.logIn({ handle: 'ada', password: 'secret' });

test('a session outlives a restart', async () => {
  const first = setUp();
  assert.deepEqual(await logIn(first), []);
  const { client } = setUp(first);
  assert.equal(client.session.current.handle, 'ada');
  assert.deepEqual((await client.query('{ ok }', {})).data, { ok: true });
});

test('an expiring token is renewed before a request, once for all requests', async () => {
  const there = setUp();
  there.state.expiresInMs = 10_000;
  await logIn(there);
  there.state.expiresInMs = HOUR_MS;
  await Promise.all([1, 2, 3].map(() => there.client.query('{ ok }', {})));
  assert.equal(there.state.refreshes.length, 1);
});

test('a token that the server refuses is renewed, and the request goes on', async () => {
  const there = setUp();
  await logIn(there);
  // As if it had expired: the server knows another one.
  there.state.tokens += 1;
  const stored = JSON.parse(there.store.getItem('plaza'));
  there.store.setItem('plaza', JSON.stringify({ ...stored, refreshToken: 'refresh-2' }));
  const { client } = setUp(there);
  assert.deepEqual((await client.query('{ ok }', {})).data, { ok: true });
  assert.equal(there.state.refreshes.length, 1);
});

test('tabs take turns: the second takes what the first has got', async () => {
  const first = setUp();
  first.state.expiresInMs = 10_000;
  await logIn(first);
  first.state.expiresInMs = HOUR_MS;
  const second = setUp(first);
  await Promise.all([first.client.query('{ ok }', {}), second.client.query('{ ok }', {})]);
  assert.equal(first.state.refreshes.length, 1);
  assert.equal(second.client.session.current.accessToken, 'access-2');
});

test('tabs that can take no turns end up with one session', async () => {
  const first = setUp();
  first.state.expiresInMs = 10_000;
  await logIn(first);
  const second = setUp({ ...first, locks: new LocalLocks() });
  first.state.expiresInMs = HOUR_MS;
  const both = [first, second].map(({ client }) => client.query('{ ok }', {}));
  for (const { data } of await Promise.all(both)) assert.deepEqual(data, { ok: true });
  assert.equal(first.state.tokens, 2);
});

test('a refresh whose response was lost is repeated under the same key, after a restart, too', async () => {
  const first = setUp();
  first.state.expiresInMs = 10_000;
  await logIn(first);
  first.state.expiresInMs = HOUR_MS;
  first.state.lose = 3;
  await assert.rejects(first.client.session.accessToken(), { code: undefined });
  assert.equal(first.client.session.current.handle, 'ada', 'it has not ended');
  const { client } = setUp(first);
  assert.equal(await client.session.accessToken(), 'access-2');
  assert.equal(first.state.refreshes.length, 4);
  assert.equal(new Set(first.state.refreshes.map(([, key]) => key)).size, 1);
});

test('a session that the server has ended is over here, too', async () => {
  const there = setUp();
  await logIn(there);
  there.state.tokens += 1;
  there.state.revoked = true;
  await assert.rejects(there.client.query('{ ok }', {}), { code: 'UNAUTHENTICATED' });
  assert.equal(there.client.session.current, null);
  assert.equal(there.client.session.left, false, 'the user did not log out');
  assert.equal(there.store.getItem('plaza'), null);
  assert.equal(there.store.getItem('plaza.device'), 'device');
});

test('who logs out has left, until the next log-in', async () => {
  const there = setUp();
  await logIn(there);
  await there.client.session.logOut();
  assert.equal(there.client.session.left, true);
  await logIn(there);
  assert.equal(there.client.session.left, false);
});
