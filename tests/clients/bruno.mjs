// Writes clients/bruno, a collection for Bruno (https://www.usebruno.com): a log-in, and the operations of README.md's "First queries" but for the
// subscriptions, which Bruno does not send. `node bruno.mjs` writes it; the test checks that it is as new and fits the schema.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Kind, parse, print, visit } from 'graphql';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
export const FOLDER = path('../../clients/bruno/');
const README = path('../../README.md');

/** By the fields of an operation, as far as they have one child: what it is called, and what it leaves to those after it. */
const REQUESTS = {
  'viewer.home': { name: 'Home feed' },
  postCreate: { name: 'Write a post' },
  products: {
    name: 'Products',
    after: `const product = res.body.data.products.nodes.find(({ stock, seller }) => stock > 0 && seller.handle !== bru.getEnvVar("handle"));
bru.setVar("productId", product?.id);`,
  },
  orderPlace: { name: 'Place an order', after: 'bru.setVar("orderId", res.body.data.orderPlace.order?.id);' },
  'viewer.orders': { name: 'My newest order' },
  productsSearch: { name: 'Search' },
};

const LOG_IN = {
  name: 'Log in',
  query: `mutation LogIn($input: LogInInput!) {
  logIn(input: $input) {
    accessToken
    viewer { user { handle displayName } }
    userErrors { code message path }
  }
}`,
  variables: '{ "input": { "handle": "{{handle}}", "password": "{{password}}" } }',
  after: 'bru.setVar("token", res.body.data.logIn.accessToken);',
  auth: 'none',
  isDone: 'res.body.data.logIn.userErrors.length: eq 0',
};

/** The operations that README.md shows, one after another. */
export function operations() {
  const text = readFileSync(README, 'utf8');
  const section = text.slice(text.indexOf('## First queries'));
  const blocks = [...section.matchAll(/```graphql\n(.*?)```/gs)].map(([, block]) => block);
  const shown = blocks.flatMap((block) => parse(block).definitions).filter(({ operation }) => operation !== 'subscription');
  return shown.map((definition) => {
    const [first] = definition.selectionSet.selections;
    const [only, ...others] = first.selectionSet.selections;
    const key = first.name.value === 'viewer' && !others.length ? `viewer.${only.name.value}` : first.name.value;
    if (!REQUESTS[key]) throw new Error(`README.md shows ${key}: give it a name in tests/clients/bruno.mjs`);
    // What a reader fills in is what an earlier request has left.
    const filled = visit(definition, {
      [Kind.OBJECT_FIELD]: (field) => (field.value.value === '<id>' ? { ...field, value: { ...field.value, value: `{{${field.name.value}}}` } } : undefined),
    });
    const isMutation = definition.operation === 'mutation';
    return { ...REQUESTS[key], query: print(filled), auth: 'inherit', isDone: isMutation && `res.body.data.${key}.userErrors.length: eq 0` };
  });
}

const indented = (text) => text.trim().split('\n').map((line) => `  ${line}`.trimEnd()).join('\n');
const block = (name, body) => `${name} {\n${indented(body)}\n}\n`;

function request({ name, query, variables, after, auth, isDone }, seq) {
  const parts = [
    block('meta', `name: ${name}\ntype: graphql\nseq: ${seq}`),
    block('post', `url: {{url}}\nbody: graphql\nauth: ${auth}`),
    block('body:graphql', query),
    variables && block('body:graphql:vars', variables),
    block('assert', ['res.status: eq 200', 'res.body.errors: isUndefined', isDone].filter(Boolean).join('\n')),
    after && block('script:post-response', after),
  ];
  return parts.filter(Boolean).join('\n');
}

/** Each file of the collection, by its name. */
export function collection() {
  const files = new Map();
  files.set('bruno.json', `${JSON.stringify({ version: '1', name: 'plaza', type: 'collection', ignore: [] }, null, 2)}\n`);
  files.set('collection.bru', [block('auth', 'mode: bearer'), block('auth:bearer', 'token: {{token}}')].join('\n'));
  files.set('environments/local.bru', block('vars', 'url: http://127.0.0.1:4000/graphql\nhandle: alice\npassword: plaza-demo-1'));
  [LOG_IN, ...operations()].forEach((each, index) => files.set(`${each.name}.bru`, request(each, index + 1)));
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(`${FOLDER}environments`, { recursive: true });
  for (const file of readdirSync(FOLDER)) if (file.endsWith('.bru')) rmSync(FOLDER + file);
  for (const [name, text] of collection()) writeFileSync(FOLDER + name, text);
}
