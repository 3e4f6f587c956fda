import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'graphql';
import { MemoryStore, PlazaClient } from '../dist/index.js';

function setUp(respond, options = {}) {
  const sent = [];
  const fetch = async (_url, { headers, body, signal }) => {
    sent.push({ headers, body: JSON.parse(body) });
    return respond(sent.length, sent.at(-1), signal);
  };
  const settings = { url: 'http://plaza/graphql', store: new MemoryStore(), fetch, ...options };
  return { client: new PlazaClient(settings), sent };
}
const json = (body, init) => new Response(JSON.stringify(body), init);

test('documents are sent as their text, and reads come after writes', async () => {
  const headers = { 'Plaza-Consistency': 'written' };
  const { client, sent } = setUp((number) =>
    json({ data: { n: number } }, number === 1 ? { headers } : {}),
  );
  assert.deepEqual(await client.mutate(parse('mutation { write }'), {}), { n: 1 });
  assert.match(sent[0].headers.get('idempotency-key'), /^[0-9a-f]{32}$/);
  assert.equal(sent[0].headers.get('plaza-consistency'), null);
  assert.deepEqual((await client.query(parse('{ read }'), {})).data, { n: 2 });
  assert.match(sent[1].body.query, /read/);
  assert.equal(sent[1].headers.get('plaza-consistency'), 'written');
});

test('a consistency token that the server does not know is forgotten', async () => {
  const { client, sent } = setUp((_number, { headers }) =>
    headers.has('plaza-consistency')
      ? json({ errors: [{ message: 'the Plaza-Consistency header is none' }] }, { status: 400 })
      : json({ data: { ok: true } }),
  );
  client.consistency.note(null, 'old');
  assert.deepEqual((await client.query('{ ok }', {})).data, { ok: true });
  assert.equal(sent.length, 2);
  assert.equal(client.consistency.header, null);
});

test('a mutation is repeated under its key after a page of a proxy', async () => {
  const { client, sent } = setUp((number) =>
    number === 1 ? new Response('<h1>502</h1>', { status: 502 }) : json({ data: { ok: true } }),
  );
  assert.deepEqual(await client.mutate('mutation { write }', {}), { ok: true });
  const keys = sent.map(({ headers }) => headers.get('idempotency-key'));
  assert.equal(keys[0], keys[1]);
});

test('errors of single fields come with the data of a query, and fail a mutation', async () => {
  const errors = [{ message: 'no', path: ['a'], extensions: { code: 'FORBIDDEN' } }];
  const { client } = setUp(() => json({ data: { a: null, b: 1 }, errors }));
  assert.deepEqual(await client.query('{ a b }', {}), { data: { a: null, b: 1 }, errors });
  await assert.rejects(client.mutate('mutation { a }', {}), { code: 'FORBIDDEN' });
});

test('an attempt that has no response in time ends', { timeout: 20_000 }, async () => {
  const hang = (_number, _request, signal) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason)),
    );
  const { client, sent } = setUp(hang, { deadlineMs: 20 });
  await assert.rejects(client.query('{ ok }', {}), { code: undefined, message: 'no response' });
  assert.equal(sent.length, 4);
  const stop = new AbortController();
  const asked = client.query('{ ok }', {}, { signal: stop.signal });
  stop.abort(new Error('given up'));
  await assert.rejects(asked, { message: 'given up' });
});

test('a tool gets the whole response, and its own headers win', async () => {
  const body = { data: null, errors: [{ message: 'no' }], extensions: { plan: 'x' } };
  const { client, sent } = setUp(() => json(body, { status: 400 }));
  const request = { query: 'query A { a } query B { b }', operationName: 'B' };
  const headers = { authorization: 'Bearer mine' };
  assert.deepEqual(await client.execute(request, { headers, key: 'k' }), body);
  assert.equal(sent[0].body.operationName, 'B');
  assert.equal(sent[0].headers.get('authorization'), 'Bearer mine');
  assert.equal(sent[0].headers.get('idempotency-key'), 'k');
  const { client: behind } = setUp(() => new Response('<h1>502</h1>', { status: 502 }));
  await assert.rejects(behind.execute(request), { code: undefined, message: /502/ });
});
