// plaza's pass over documents against graphql-js: which requests are refused, in what words and where, and what answers look like.
// PLAZA_BINARY is the executable, PLAZA_URL a server. PLAZA_SPECIFICATION_SEED and PLAZA_SPECIFICATION_COUNT choose the requests: `make test` makes 20,000 of them.
// It alone: PLAZA_CLIENT_TESTS=specification/specification PLAZA_SPECIFICATION_SEED=2 cargo test --test it -- clients::protocols --nocapture
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { buildSchema, executeSync, parse } from 'graphql';
import { Requests } from './generator.mjs';
import { checked, differences, errors } from './oracle.mjs';

const seed = Number(process.env.PLAZA_SPECIFICATION_SEED ?? 1);
const count = Number(process.env.PLAZA_SPECIFICATION_COUNT ?? 20_000);
const sdl = readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8');

/** What plaza says to each request, without running it. */
async function verdicts(requests) {
  const plaza = spawn(process.env.PLAZA_BINARY, ['check-documents'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => plaza.on('close', done));
  plaza.stdin.on('error', () => {});
  plaza.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  let said = '';
  plaza.stdout.setEncoding('utf8');
  for await (const part of plaza.stdout) said += part;
  assert.equal(await ended, 0);
  return said.trim().split('\n').map((line) => JSON.parse(line).errors);
}

test(`${count} requests by seed ${seed} are refused, or not, as graphql-js would`, async () => {
  const schema = checked(buildSchema(sdl));
  const generator = new Requests(schema, seed);
  const requests = Array.from({ length: count }, () => generator.next());
  const said = await verdicts(requests);
  assert.equal(said.length, count);
  const codes = {};
  const found = [];
  requests.forEach((request, at) => {
    for (const code of new Set(said[at].length ? said[at].map((error) => error.code) : ['accepted'])) codes[code] = (codes[code] ?? 0) + 1;
    const differ = differences(errors(schema, request), said[at]);
    if (differ.length > 0) found.push({ request: JSON.stringify(request), differ });
  });
  console.log(`specification: seed ${seed}, ${count} requests, ${JSON.stringify(codes)}, ${found.length} differences`);
  assert.deepEqual(found.slice(0, 3), []);
  const bounded = Object.keys(codes).filter((code) => code.startsWith('QUERY_TOO_')).reduce((sum, code) => sum + codes[code], 0);
  assert.ok(bounded < count / 100, JSON.stringify(codes));
  // A generator that only makes nonsense, or only what is right, would compare nothing.
  assert.ok(codes.accepted > count / 4 && codes.GRAPHQL_PARSE_FAILED > count / 50 && codes.GRAPHQL_VALIDATION_FAILED > count / 20 && codes.BAD_USER_INPUT > count / 100, JSON.stringify(codes));
});

/** Asks the server. */
async function ask(query, variables, token) {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  return (await fetch(process.env.PLAZA_URL, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })).json();
}

/** Somebody with posts, comments and a product, and literals that lead to them. */
async function inhabited() {
  const handle = `shape_${seed}_${process.pid}`;
  const input = { handle, email: `${handle}@example.com`, password: 'password-123', displayName: 'Shape' };
  const { data } = await ask('mutation($input: SignUpInput!) { signUp(input: $input) { accessToken viewer { user { id } } } }', { input });
  const token = data.signUp.accessToken;
  const made = await ask(
    `mutation($price: MoneyInput!) {
      one: postCreate(input: {text: "the first #shape"}) { post { id } }
      two: postCreate(input: {text: "the second, of @${handle}"}) { post { id } }
      product: productCreate(input: {title: "A lamp", description: "It is lit.", price: $price, stock: 3}) { product { id } } }`,
    { price: { amount: '100', currency: 'EUR' } },
    token,
  );
  const post = made.data.one.post.id;
  await ask('mutation($id: ID!) { commentCreate(input: {postId: $id, text: "a comment"}) { comment { id } } postLike(input: {postId: $id}) { post { id } } }', { id: post }, token);
  const ids = [data.signUp.viewer.user.id, post, made.data.two.post.id, made.data.product.product.id].map((id) => JSON.stringify(id));
  return { token, known: { id: ids, ids: [`[${ids}]`], handle: [JSON.stringify(handle)], name: ['"shape"'], query: ['"lamp"', '"shape"'], first: ['1', '2', '3'], last: ['1', '2'], after: ['null'] } };
}

test('answers have the fields that were asked for, in their order', async () => {
  const schema = buildSchema(sdl);
  const { token, known } = await inhabited();
  const generator = new Requests(schema, seed, { known, only: 'query' });
  let [compared, fields] = [0, 0];
  for (let number = 0; number < Math.min(count, 300); number += 1) {
    const { query, variables } = generator.next();
    const answer = await ask(query, variables, token);
    if (!answer.data) {
      const refusals = ['QUERY_TOO_COMPLEX', 'QUERY_TOO_DEEP', 'RATE_LIMITED', 'GRAPHQL_VALIDATION_FAILED', 'BAD_USER_INPUT'];
      assert.ok(refusals.includes(answer.errors[0].extensions.code), JSON.stringify({ query, variables, answer }));
      continue;
    }
    // graphql-js executes the request on the answer itself: it takes out what it wants, in its order, and what is there beside it is lost.
    const again = executeSync({
      schema,
      document: parse(query),
      variableValues: variables,
      rootValue: answer.data,
      fieldResolver: (source, _arguments, _context, info) => source[info.path.key],
      typeResolver: (value) => value.typed__,
    });
    assert.equal(JSON.stringify(answer.data), JSON.stringify(again.data ?? null), query);
    compared += 1;
    fields += JSON.stringify(answer.data).split('":').length - 1;
  }
  console.log(`specification: ${compared} answers of ${fields} fields compared`);
  assert.ok(compared >= Math.min(count, 300) / 3 && fields > compared * 3, `${compared} answers, ${fields} fields`);
});
