// The code of docs/clients, as it stands: each page's js blocks are a module, its sh blocks scripts;
// the python and rust blocks of a page are a program.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CombinedGraphQLErrors, gql } from '@apollo/client/core';
import { pipe, subscribe } from 'wonka';
import WebSocket from 'ws';
import { MemoryStore, PlazaClient } from '../../clients/js/dist/index.js';
import { changing, tunnel, until } from './support/tunnel.mjs';

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

const built = new URL('../../clients/js/dist/', import.meta.url).href;

function written(name, code) {
  const file = new URL(`${name}.mjs`, made);
  writeFileSync(file, code);
  return file.href;
}

/** A page's code; `change` puts something else in the place of what it imports. */
async function module(page, change = (code) => code, name = page) {
  const code = change(blocks(page, 'js').join('\n'))
    .replaceAll("'@plaza/client'", `'${built}index.js'`)
    .replace(/'@plaza\/client\/(\w+)'/g, `'${built}adapters/$1.js'`);
  return import(written(name, code));
}

/** Apollo Client 3 is CommonJS where Node looks: its names, as a module. */
const APOLLO_3 = `import core from 'apollo-client-3/core/core.cjs';
import utilities from 'apollo-client-3/utilities/utilities.cjs';
export const { ApolloClient, ApolloLink, InMemoryCache, Observable } = core;
export const { relayStylePagination } = utilities;
`;

/** The page of Apollo, and the adapter, with Apollo Client 3. */
function apollo3() {
  const library = written('apollo-client-3', APOLLO_3);
  const older = (code) => code.replace(/'@apollo\/client\/(core|utilities)'/g, `'${library}'`);
  const adapter = older(readFileSync(new URL('adapters/apollo.js', built), 'utf8'));
  const adapter3 = written(
    'adapter-apollo-3',
    adapter.replaceAll("'./", `'${built}adapters/`).replaceAll("'../", `'${built}`),
  );
  const change = (code) => older(code).replaceAll("'@plaza/client/apollo'", `'${adapter3}'`);
  return module('apollo', change, 'apollo-3');
}

const POST = `mutation Post($input: PostCreateInput!) {
  postCreate(input: $input) { post { id text } userErrors { message } }
}`;
const ME = 'query Me { viewer { user { id handle posts(first: 50) { nodes { id text } } } } }';
const FEED = 'query Feed { viewer { home(first: 50) { nodes { text } } } }';
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

test('server-sent events: a refused token, and a connection that breaks', async (t) => {
  const { watchHome } = await module('events');
  const [script] = blocks('events', 'sh');
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
  assert.match(stdout, /^event: next\ndata: \{"data":\{"products"[^]*\n\nevent: complete\n/);
  const { user, post } = await writer(t);
  const plaza = new PlazaClient({ url, store: new MemoryStore(), webSocket: WebSocket });
  t.after(() => plaza.close());
  assert.deepEqual(await plaza.session.logIn({ handle: user.handle, password: user.password }), []);
  const way = await tunnel(t, url);
  // The first one is refused.
  const tokens = ['no.token.atall'];
  const token = async () => tokens.pop() ?? plaza.session.accessToken();
  const seen = [];
  const stop = watchHome(way.url, token, ({ text }) => seen.push(text));
  t.after(stop);
  await until('an event has come', async () => {
    await post('first');
    return seen.length > 0;
  });
  const expected = [1, 2, 3, 4, 5, 6].map((number) => `event ${number}`);
  for (const text of expected) {
    void way.cut(20);
    await post(text);
  }
  const events = () => seen.filter((text) => text.startsWith('event'));
  await until('every event has come', () => events().length >= expected.length);
  assert.deepEqual(events().sort(), expected);
});

test('graphql-request: a refused token, and a connection that breaks', async (t) => {
  const { createPlaza } = await module('graphql-request');
  const { user, post } = await writer(t);
  const { handle, password } = user;
  // The first token that is given has another signature: what carries it is refused, by HTTP and by
  // WebSocket.
  let refused = null;
  const spoiling = await changing(t, url, () => ({
    back: (text) =>
      refused
        ? text
        : text.replace(/(?<="accessToken":")[^"]+/, (given) => {
            const [head, claims, signature] = given.split('.');
            refused = [head, claims, 'A'.repeat(signature.length)].join('.');
            return refused;
          }),
  }));
  const asked = createPlaza(spoiling, WebSocket);
  await asked.logIn({ handle, password });
  assert.ok(refused);
  const { viewer } = await asked.request(ME);
  assert.deepEqual(
    viewer.user.posts.nodes.map(({ text }) => text),
    ['before'],
  );
  await assert.rejects(asked.request('{ nonsense }'), (error) => {
    return error.response.errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED';
  });

  refused = null;
  const way = await tunnel(t, spoiling);
  const client = createPlaza(way.url, WebSocket);
  await client.logIn({ handle, password });
  const seen = [];
  t.after(client.watch(HOME, ({ text }) => seen.push(text)));
  await until('an event has come', async () => {
    await post('first');
    return seen.length > 0;
  });
  const expected = [1, 2, 3, 4, 5, 6].map((number) => `event ${number}`);
  for (const text of expected) {
    void way.cut(20);
    const { postCreate } = await client.mutate(POST, { input: { text } });
    assert.equal(postCreate.post.text, text);
  }
  const events = () => seen.filter((text) => text.startsWith('event'));
  await until('every event has come', () => events().length >= expected.length);
  assert.deepEqual(events().sort(), expected);
});

/** What was refused, by the errors of a version. */
const refusals = {
  'Apollo 4': (error) => {
    assert.ok(CombinedGraphQLErrors.is(error));
    return error.errors;
  },
  'Apollo 3': (error) => error.graphQLErrors,
};

const PAGE =
  gql(`query Page($first: Int!, $after: String) { viewer { home(first: $first, after: $after) {
  edges { cursor node { id text } } pageInfo { endCursor hasNextPage } } } }`);

for (const [name, load] of Object.entries({
  'Apollo 4': () => module('apollo'),
  'Apollo 3': apollo3,
})) {
  test(`${name}: a refused token, and a connection that breaks`, async (t) => {
    const { createApollo } = await load();
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
    await assert.rejects(apollo.query({ query: gql('{ nonsense }') }), (error) => {
      const [refused] = refusals[name](error);
      return refused.extensions.code === 'GRAPHQL_VALIDATION_FAILED';
    });
  });

  test(`${name}: a list keeps its pages when something else asks for the viewer`, async (t) => {
    const { createApollo } = await load();
    const asked = [];
    const counting = (address, request) => {
      asked.push(JSON.parse(request.body).query);
      return fetch(address, request);
    };
    const { plaza, apollo } = createApollo({ url, store: new MemoryStore(), fetch: counting });
    t.after(() => plaza.close());
    assert.deepEqual(await plaza.session.signUp(account()), []);
    for (let number = 1; number <= 20; number += 1)
      await plaza.mutate(POST, { input: { text: `post ${number}` } });
    await until('the home has them', async () => {
      const { data } = await plaza.query(FEED, {});
      return data.viewer.home.nodes.length === 20;
    });
    asked.length = 0;
    const watched = apollo.watchQuery({ query: PAGE, variables: { first: 10 } });
    const lengths = [];
    const note = ({ data }) => lengths.push(data?.viewer?.home?.edges.length);
    const watching = watched.subscribe({ next: note });
    t.after(() => watching.unsubscribe());
    await until('the first page is there', () => lengths.at(-1) === 10);
    const { endCursor } = watched.getCurrentResult().data.viewer.home.pageInfo;
    await watched.fetchMore({ variables: { after: endCursor } });
    await until('the second page is there', () => lengths.at(-1) === 20);
    const before = lengths.length;
    await apollo.query({ query: gql('query Who { viewer { user { id handle } } }') });
    await apollo.query({ query: gql('query Count { viewer { unreadNotificationCount } }') });
    assert.deepEqual(new Set(lengths.slice(before)), new Set(lengths.length > before ? [20] : []));
    assert.equal(watched.getCurrentResult().data.viewer.home.edges.length, 20);
    assert.equal(asked.filter((query) => query.includes('home(')).length, 2, 'none is asked again');
  });
}

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
  const { errors } = await executed(client, 'query', '{ nonsense }', {}).toPromise();
  assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});

/** The command of a page's program; it takes the texts of posts. */
const programs = {
  python() {
    const file = fileURLToPath(new URL('client.py', made));
    writeFileSync(file, blocks('python', 'python').join('\n\n'));
    return ['/usr/bin/python3', file];
  },
  gql() {
    const file = fileURLToPath(new URL('client-gql.py', made));
    writeFileSync(file, blocks('gql', 'python').join('\n\n'));
    const python = fileURLToPath(new URL('../../.local/python/bin/python', import.meta.url));
    assert.ok(existsSync(python), 'run `infra/local/install tests` once');
    return [python, file];
  },
  rust() {
    const example = new URL('../../examples/client.rs', import.meta.url);
    assert.equal(blocks('rust', 'rust').join('\n'), readFileSync(example, 'utf8'));
    const { PLAZA_BINARY } = process.env;
    assert.ok(PLAZA_BINARY, 'PLAZA_BINARY is not set');
    // Where cargo puts it: `cargo build --example client`.
    return [join(dirname(PLAZA_BINARY), 'examples', 'client')];
  },
};

/** A user whose home has a post; the user's requests take the direct way. */
async function writer(t) {
  const user = account();
  const plaza = new PlazaClient({ url, store: new MemoryStore(), webSocket: WebSocket });
  t.after(() => plaza.close());
  assert.deepEqual(await plaza.session.signUp(user), []);
  const post = (text) => plaza.mutate(POST, { input: { text } });
  await post('before');
  await until('the home has the post', async () => {
    const { data } = await plaza.query(FEED, {});
    return data.viewer.home.nodes.length > 0;
  });
  const posts = async () => {
    const { data } = await plaza.query(ME, {});
    return data.viewer.user.posts.nodes.map(({ text }) => text).sort();
  };
  return { user, post, posts };
}

/** Runs a page's program as a user, on a way to the server; ends with the test. */
function run(t, [command, ...args], { handle, password }, way) {
  const environment = { PLAZA_URL: way, PLAZA_HANDLE: handle, PLAZA_PASSWORD: password };
  // Its end comes with this process's, however that ends: it would reconnect for ever.
  const program = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    env: { ...process.env, NO_PROXY: '127.0.0.1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => program.kill());
  let ended = null;
  let said = '';
  program.on('error', (error) => (ended = `${error}`));
  program.on('exit', (code, signal) => (ended ??= `it has ended: ${code ?? signal}`));
  program.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  const shown = [];
  createInterface({ input: program.stdout }).on('line', (line) => {
    const [author, ...text] = line.split(': ');
    assert.equal(author, handle);
    shown.push(text.join(': '));
  });
  return {
    shown,
    shows: (text) =>
      until(`the program shows ${text}`, () => {
        assert.ok(!ended, `${ended}\n${said}`);
        return shown.includes(text);
      }),
  };
}

for (const [page, program] of Object.entries(programs)) {
  for (const by of ['HTTP', 'WebSocket']) {
    test(`${page}: a token that is refused by ${by} is refreshed, and all goes on`, async (t) => {
      const { user, post } = await writer(t);
      // The program is given a token with another signature. For WebSocket, its requests by HTTP
      // get the true one again; in a socket's masked frames nothing is replaced.
      const token = {};
      const way = await changing(t, url, () => ({
        back: (text) =>
          text.replace(/(?<="accessToken":")[^"]+/, (given) => {
            if (token.given) return given;
            const [head, claims, signature] = given.split('.');
            const refused = [head, claims, 'A'.repeat(signature.length)].join('.');
            Object.assign(token, { given, refused });
            return refused;
          }),
        out: (text) =>
          by === 'HTTP' || !token.given ? text : text.replace(token.refused, token.given),
      }));
      const { shown, shows } = run(t, program(), user, way);
      await shows('before');
      await post('live');
      await shows('live');
      assert.ok(token.refused, 'a token has been refused');
      assert.deepEqual(shown, ['before', 'live']);
    });
  }

  test(`${page}: a connection that breaks: nothing is missed, nothing comes twice`, async (t) => {
    const { user, post, posts } = await writer(t);
    const text = `from ${page}`;
    // The response to the first attempt at the mutation is lost.
    let sent = '';
    let losses = 0;
    const watched = await changing(t, url, () => {
      let isMutation = false;
      return {
        out(request) {
          sent += request;
          isMutation ||= request.includes('postCreate(');
          return request;
        },
        back(response) {
          if (!isMutation || losses > 0) return response;
          losses += 1;
          return null;
        },
      };
    });
    const way = await tunnel(t, watched);
    const { shown, shows } = run(t, [...program(), text], user, way.url);
    await shows(text);
    assert.equal(losses, 1);
    assert.deepEqual(await posts(), ['before', text]);
    const keys = [...sent.matchAll(/^idempotency-key: (.+)\r$/gim)].map(([, key]) => key);
    assert.equal(keys.length, new Set(keys).size + 1, 'both attempts have the same key');
    assert.match(sent, /^plaza-consistency: .+\r$/im);

    const expected = ['before', text];
    for (let round = 1; round <= 5; round += 1) {
      way.down();
      for (const number of [1, 2, 3]) {
        expected.push(`missed ${round} ${number}`);
        await post(expected.at(-1));
      }
      way.up();
      for (const missed of expected.slice(-3)) await shows(missed);
    }
    await post('last');
    await shows('last');
    // Fan-outs may overtake one another.
    assert.deepEqual(shown.sort(), [...expected, 'last'].sort());
  });
}
