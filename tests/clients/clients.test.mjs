// Real clients, as an application would set them up: Apollo with persisted queries, urql, graphql-ws.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client as UrqlClient, cacheExchange, fetchExchange } from '@urql/core';
import { createClient as createSocketClient } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.env.PLAZA_URL;
assert.ok(url, 'PLAZA_URL is not set');
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const SIGN_UP = `mutation SignUp($input: SignUpInput!) { signUp(input: $input) { accessToken viewer { user { id handle } } userErrors { code message } } }`;
const POST = `mutation Post($input: PostCreateInput!) { postCreate(input: $input) { post { id text } userErrors { code message path } } }`;
const ME = `query Me { viewer { user { id handle posts(first: 5) { nodes { id text } } } } }`;

async function person() {
  const handle = `c${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const input = { handle, email: `${handle}@example.org`, password: 'correct horse', displayName: 'Client' };
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: SIGN_UP, variables: { input } }),
  });
  const { data } = await answer.json();
  return { handle, token: data.signUp.accessToken };
}

test('Apollo: query, mutation, a page of errors, persisted queries by GET', async () => {
  const { handle, token } = await person();
  const asked = [];
  const spy = (input, init) => {
    asked.push(init.method);
    return fetch(input, init);
  };
  const headers = { authorization: `Bearer ${token}`, 'apollo-require-preflight': '1' };
  const http = new HttpLink({ uri: url, fetch: spy, headers });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([new PersistedQueryLink({ sha256, useGETForHashedQueries: true }), http]),
  });
  const written = await client.mutate({ mutation: gql(POST), variables: { input: { text: 'from Apollo' } } });
  assert.deepEqual(written.data.postCreate.userErrors, []);
  const first = await client.query({ query: gql(ME), fetchPolicy: 'network-only' });
  assert.equal(first.data.viewer.user.handle, handle);
  assert.equal(first.data.viewer.user.posts.nodes[0].text, 'from Apollo');
  asked.length = 0;
  await client.query({ query: gql(ME), fetchPolicy: 'network-only' });
  assert.deepEqual(asked, ['GET'], 'the hash alone is enough now');
  const refused = await client.query({ query: gql`query Bad { products(first: 1000) { nodes { id } } }`, errorPolicy: 'all' });
  assert.equal(refused.error.errors[0].extensions.code, 'BAD_USER_INPUT');
});

test('urql: query, mutation, GET', async () => {
  const { handle, token } = await person();
  const client = new UrqlClient({
    url,
    exchanges: [cacheExchange, fetchExchange],
    preferGetMethod: true,
    fetchOptions: { headers: { authorization: `Bearer ${token}`, 'graphql-require-preflight': '1' } },
  });
  const written = await client.mutation(POST, { input: { text: 'from urql' } }).toPromise();
  assert.equal(written.data.postCreate.post.text, 'from urql');
  const seen = await client.query(ME, {}).toPromise();
  assert.equal(seen.error, undefined);
  assert.equal(seen.data.viewer.user.handle, handle);
});

test('graphql-ws: query, mutation, an error, over one socket', async () => {
  const { handle, token } = await person();
  const client = createSocketClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
  });
  const once = (payload) =>
    new Promise((resolve, reject) => {
      let value;
      client.subscribe(payload, { next: (next) => (value = next), error: reject, complete: () => resolve(value) });
    });
  assert.equal((await once({ query: ME })).data.viewer.user.handle, handle);
  const written = await once({ query: POST, variables: { input: { text: 'from a socket', clientKey: randomUUID() } } });
  assert.equal(written.data.postCreate.post.text, 'from a socket');
  await assert.rejects(once({ query: '{ nonsense }' }), (errors) => errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');
  await client.dispose();
});
