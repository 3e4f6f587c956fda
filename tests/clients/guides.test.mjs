// The code of docs/clients, as it stands: each page's js blocks are a module, its sh blocks scripts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test, { after } from 'node:test';
import { promisify } from 'node:util';
import { gql } from '@apollo/client/core';
import { pipe, subscribe } from 'wonka';
import WebSocket from 'ws';
import { MemoryStore } from '../../clients/js/dist/index.js';
import { tunnel, until } from './support/tunnel.mjs';

const url = process.env.PLAZA_URL;
assert.ok(url, 'PLAZA_URL is not set');

// Here, so that the modules' imports are found.
const made = new URL(`./made-${process.pid}/`, import.meta.url);
mkdirSync(made, { recursive: true });
after(() => rmSync(made, { recursive: true }));

function blocks(page, language) {
  const text = readFileSync(new URL(`../../docs/clients/${page}.md`, import.meta.url), 'utf8');
  const found = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  return found.filter(([, marked]) => marked === language).map(([, , code]) => code);
}

async function module(page) {
  const client = new URL('../../clients/js/dist/index.js', import.meta.url).href;
  const file = new URL(`${page}.mjs`, made);
  const code = blocks(page, 'js').join('\n').replaceAll("'@plaza/client'", `'${client}'`);
  writeFileSync(file, code);
  return import(file.href);
}

const POST = `mutation Post($input: PostCreateInput!) {
  postCreate(input: $input) { post { id text } userErrors { message } }
}`;
const ME = 'query Me { viewer { user { id handle posts(first: 50) { nodes { id text } } } } }';
const HOME = `subscription Home($after: String) {
  homeUpdated(after: $after) { cursor node { id text } }
}`;

const account = () => {
  const handle = `g${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const email = `${handle}@example.org`;
  return { handle, email, displayName: 'Guide', password: 'correct horse' };
};

test('curl: a query, an account, a mutation', async () => {
  const scripts = blocks('fetch', 'sh');
  assert.equal(scripts.length, 2);
  const run = async (script) =>
    (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script])).stdout;
  assert.match(await run(scripts[0]), /"products"/);
  assert.match(await run(scripts[1]), /Hello from curl/);
});

test('fetch: a token that is refused is refreshed, and the request goes on', async () => {
  const { signUp, request, mutate } = await module('fetch');
  const session = await signUp(account());
  const posted = await mutate(POST, { input: { text: 'from fetch' } });
  assert.equal(posted.postCreate.post.text, 'from fetch');
  session.accessToken = 'no.token.atall';
  const { viewer } = await request(ME);
  assert.equal(viewer.user.posts.nodes[0].text, 'from fetch');
  await assert.rejects(request('{ nonsense }'), { code: 'GRAPHQL_VALIDATION_FAILED' });
});

/** What Apollo and urql are asked alike, by their own means. */
async function goesOn(t, create, { query, mutate, listen }) {
  const way = await tunnel(t, url);
  const store = new MemoryStore();
  const options = { url: way.url, store, webSocket: WebSocket };
  const first = create(options);
  t.after(() => first.plaza.close());
  assert.deepEqual(await first.plaza.session.signUp(account()), []);
  await mutate(first, { text: 'before' });
  first.plaza.close();

  // A token that is refused, in a query and in a socket.
  const stored = JSON.parse(store.getItem('plaza'));
  store.setItem('plaza', JSON.stringify({ ...stored, accessToken: 'no.token.atall' }));
  const next = create(options);
  t.after(() => next.plaza.close());
  assert.deepEqual(await query(next), ['before']);

  const seen = [];
  const stop = listen(next, (text) => seen.push(text));
  await until('an event has come', async () => {
    await mutate(next, { text: 'first' });
    return seen.length > 0;
  });
  const expected = [1, 2, 3, 4, 5, 6].map((number) => `event ${number}`);
  for (const text of expected) {
    void way.cut(20);
    await mutate(next, { text }, { durable: true });
  }
  // The posts from before may come late.
  const events = () => seen.filter((text) => text.startsWith('event'));
  await until('every event has come', () => events().length >= expected.length);
  assert.deepEqual(events().sort(), expected);
  stop();
}

test('Apollo: a refused token, and a connection that breaks', async (t) => {
  const { createApollo } = await module('apollo');
  await goesOn(t, createApollo, {
    query: async ({ apollo }) => {
      const { data } = await apollo.query({ query: gql(ME), fetchPolicy: 'network-only' });
      return data.viewer.user.posts.nodes.map(({ text }) => text);
    },
    mutate: ({ apollo }, input, context) =>
      apollo.mutate({ mutation: gql(POST), variables: { input }, context }),
    listen: ({ apollo }, heard) => {
      const next = ({ data }) => heard(data.homeUpdated.node.text);
      const events = apollo.subscribe({ query: gql(HOME) }).subscribe({ next });
      return () => events.unsubscribe();
    },
  });
  const { plaza, apollo } = createApollo({ url, store: new MemoryStore() });
  t.after(() => plaza.close());
  await assert.rejects(apollo.query({ query: gql('{ nonsense }') }), {
    code: 'GRAPHQL_VALIDATION_FAILED',
  });
});

test('urql: a refused token, and a connection that breaks', async (t) => {
  const { createUrql } = await module('urql');
  await goesOn(t, createUrql, {
    query: async ({ urql }) => {
      const { data, error } = await urql.query(ME, {}, { requestPolicy: 'network-only' });
      assert.equal(error, undefined);
      return data.viewer.user.posts.nodes.map(({ text }) => text);
    },
    mutate: async ({ urql }, input, context) => {
      const { error } = await urql.mutation(POST, { input }, context);
      assert.equal(error, undefined);
    },
    listen: ({ urql }, heard) => {
      const events = urql.subscription(HOME, {});
      const { unsubscribe } = pipe(
        events,
        subscribe(({ data }) => heard(data.homeUpdated.node.text)),
      );
      return unsubscribe;
    },
  });
  const { plaza, urql } = createUrql({ url, store: new MemoryStore() });
  t.after(() => plaza.close());
  const { error } = await urql.query('{ nonsense }', {});
  assert.equal(error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});

test('Relay: a refused token, and a connection that breaks', async (t) => {
  const { createRelay } = await module('relay');
  const executed = ({ environment }, operationKind, text, variables, metadata) =>
    environment
      .getNetwork()
      .execute(
        { name: 'Named', id: null, cacheID: text, operationKind, text, metadata: {} },
        variables,
        {
          metadata,
        },
      );
  await goesOn(t, createRelay, {
    query: async (client) => {
      const { data } = await executed(client, 'query', ME, {}).toPromise();
      return data.viewer.user.posts.nodes.map(({ text }) => text);
    },
    mutate: (client, input, metadata) =>
      executed(client, 'mutation', POST, { input }, metadata).toPromise(),
    listen: (client, heard) => {
      const next = ({ data }) => heard(data.homeUpdated.node.text);
      const events = executed(client, 'subscription', HOME, {}).subscribe({ next });
      return () => events.unsubscribe();
    },
  });
  const client = createRelay({ url, store: new MemoryStore() });
  t.after(() => client.plaza.close());
  await assert.rejects(executed(client, 'query', '{ nonsense }', {}).toPromise(), {
    code: 'GRAPHQL_VALIDATION_FAILED',
  });
});
