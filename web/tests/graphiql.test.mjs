import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, figuresOf, newPerson, PLAZA_URL, until } from './support/api.mjs';
import { closeBrowser, openBrowser, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const run = (page) => page.getByRole('button', { name: /^(Execute|Run) query/ });
const answer = (page) => page.locator('.graphiql-response .view-lines');
const example = (page, title) =>
  page.getByRole('region', { name: 'Examples' }).getByText(title, { exact: true });

async function logIn(page, person) {
  await page.getByLabel('Handle').fill(person.handle);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByText(`Requests are sent as @${person.handle}`).waitFor();
}

test(
  'opens, logs in, asks and shows the answer',
  withPages({}, async (open) => {
    const [author, me] = await Promise.all([newPerson('Ada Author'), newPerson('Gil Graphs')]);
    await me.follow(author.id);
    await author.post('Seen in GraphiQL');
    const { page, goto } = await open();
    await goto('/graphiql');
    await logIn(page, me);
    await example(page, 'Home feed').click();
    await run(page).click();
    await answer(page).getByText('Seen in GraphiQL').waitFor();

    await page.reload();
    await page.getByText(`Requests are sent as @${me.handle}`).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
  }),
);

test(
  'an example that is chosen before the editor is there is in it once it is',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    let release;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    await page.route(/monaco-editor-.*\.js$/, async (route) => {
      await held;
      await route.continue();
    });
    await goto('/graphiql');
    await example(page, 'Watch the home feed').click();
    release();
    await page
      .locator('.graphiql-query-editor')
      .getByText('homeUpdated', { exact: true })
      .waitFor();
  }),
);

/** As a plaza that is not for development answers. */
async function refuseIntrospection(page) {
  let asked = 0;
  await page.route('**/graphql', async (route) => {
    if (!/__schema|__type\b/.test(route.request().postData() ?? '')) return route.continue();
    asked += 1;
    const message = 'this server does not answer introspection: its schema is at /schema.graphql';
    return route.fulfill({ status: 400, json: { errors: [{ message }] } });
  });
  return () => asked;
}

async function documentation(page) {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  return page.getByRole('region', { name: 'Documentation Explorer' });
}

test(
  'documents and completes where introspection is refused',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    const asked = await refuseIntrospection(page);
    await goto('/graphiql');
    const docs = await documentation(page);
    await docs.getByRole('link', { name: 'Query', exact: true }).click();
    await docs.getByRole('link', { name: 'peopleSearch', exact: true }).waitFor();
    const editor = page.locator('.graphiql-query-editor');
    await editor.locator('.view-lines').click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('{ peopleS');
    await page.locator('.suggest-widget').getByText('peopleSearch').first().waitFor();
    assert.equal(asked(), 0);
  }),
);

test(
  'introspects where no schema is published',
  withPages({ expected: [/Failed to load resource/] }, async (open) => {
    const { page, goto } = await open();
    await page.route('**/schema.graphql', (route) => route.fulfill({ status: 404 }));
    const introspected = page.waitForRequest((request) =>
      Boolean(request.postData()?.includes('__schema')),
    );
    await goto('/graphiql');
    await introspected;
    const docs = await documentation(page);
    await docs.getByRole('link', { name: 'Query', exact: true }).waitFor();
  }),
);

test(
  'runs a subscription',
  withPages({}, async (open) => {
    const [author, me] = await Promise.all([newPerson('Ada Author'), newPerson('Gil Graphs')]);
    await me.follow(author.id);
    const { page, goto } = await open();
    await goto('/graphiql');
    await logIn(page, me);
    await example(page, 'Watch the home feed').click();
    await page
      .locator('.graphiql-query-editor')
      .getByText('homeUpdated', { exact: true })
      .waitFor();
    await run(page).click();
    const stop = page.getByRole('button', { name: /^Stop query/ });
    await stop.waitFor();
    // Nothing turns for ever: it is said what is waited for.
    await answer(page).getByText('listening').waitFor();
    assert.equal(await page.locator('.graphiql-response .graphiql-spinner').count(), 0);
    // Told as it happens: what is written before plaza listens is not, so more is written until something is told.
    let told = false;
    for (let tries = 0; tries < 20 && !told; tries += 1) {
      await author.post(`Told live, ${tries}`);
      told = await answer(page)
        .getByText('Told live')
        .waitFor({ timeout: 1_000 })
        .then(
          () => true,
          () => false,
        );
    }
    if (!told) {
      const figures = await figuresOf(
        /^plaza_(subscription|projection_parked|consumer_lag|outbox|fan_out_deliveries)/,
      );
      assert.fail(
        `told of nothing; the answer's pane has ${JSON.stringify(await answer(page).innerText())}\n${figures}`,
      );
    }
    await stop.click();
  }),
);

test(
  'a query is put together by choosing fields',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    await goto('/graphiql');
    const editor = page.locator('.graphiql-query-editor');
    await editor.getByText('Newest').waitFor();
    await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    const pane = page.locator('.graphiql-explorer-root');
    await pane.getByText('rateLimit', { exact: true }).click();
    await pane.getByText('remaining', { exact: true }).click();
    await editor.getByText('rateLimit').first().waitFor();
    // The end of a long response is not drawn.
    const answered = page.waitForResponse(
      async (response) =>
        response.url().endsWith('/graphql') && (await response.text()).includes('"remaining"'),
    );
    await run(page).click();
    await answered;
  }),
);

test(
  'a mutation is sent under a key of its own',
  withPages({}, async (open) => {
    const me = await newPerson('Gil Graphs');
    const { page, goto } = await open();
    await goto('/graphiql');
    await logIn(page, me);
    await example(page, 'Write a post').click();
    const keys = new Set();
    for (let times = 0; times < 2; times += 1) {
      const sent = page.waitForRequest(
        (request) => request.postData()?.includes('postCreate') ?? false,
      );
      await run(page).click();
      keys.add((await sent).headers()['idempotency-key']);
      await answer(page).getByText('Hello from GraphiQL').waitFor();
    }
    assert.equal(keys.size, 2);
    assert.ok(!keys.has(undefined));
  }),
);

test(
  'explains a query',
  withPages({}, async (open) => {
    const me = await newPerson('Gil Graphs');
    const { page, goto } = await open();
    await goto('/graphiql');
    await logIn(page, me);
    await example(page, 'Explain').click();
    await run(page).click();
    await answer(page).getByText('"explain"').waitFor();
  }),
);

/** What GraphiQL has left in the browser, a line each. */
const kept = (page) =>
  page.evaluate(() =>
    Object.entries(localStorage)
      .filter(([name]) => name.startsWith('graphiql:'))
      .map(([name, value]) => `${name} ${value}`)
      .join('\n'),
  );

/** As it was kept before such operations were left out. */
const OLD_HISTORY = JSON.stringify({
  queries: [
    { query: 'mutation { logIn(input: {handle: "a", password: "old"}) { accessToken } }' },
    { query: '{ rateLimit { cost } }', operationName: 'Older' },
  ],
});

test(
  'keeps no operation that somebody logs in with',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    await page.addInitScript((old) => localStorage.setItem('graphiql:queries', old), OLD_HISTORY);
    await goto('/graphiql');
    for (const [title, operation, found] of [
      ['Sign up', 'SignUp', '"accessToken"'],
      ['What is left to spend', 'Points', '"remaining"'],
    ]) {
      await example(page, title).click();
      // Its history takes an operation from its tab, which follows the editor by a moment.
      await page.getByRole('tab', { name: operation }).waitFor();
      await run(page).click();
      await answer(page).getByText(found).first().waitFor();
    }
    // Whatever is written later than the first is.
    await page.waitForFunction(() =>
      ['graphiql:queries', 'graphiql:tabState', 'graphiql:query'].every((name) =>
        localStorage.getItem(name)?.includes('Points'),
      ),
    );
    const left = await kept(page);
    assert.doesNotMatch(left, /logIn|signUp|[Pp]assword/);
    assert.match(left, /Older/);
    await page.getByRole('button', { name: 'Show History' }).click();
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('Points').waitFor();
    assert.equal(await history.locator('li').count(), 2);
  }),
);

/** The seeded people's, as the examples and the page's welcome have it. */
const ALICE = { handle: 'alice', displayName: 'Alice', password: 'plaza-demo-1' };

/** What `plaza seed` leaves: an alice with a home, notifications, and an order that has come. */
async function seeded() {
  await ask('mutation($input: SignUpInput!) { signUp(input: $input) { viewer { id } } }', {
    input: { ...ALICE, email: 'alice@example.org' },
  });
  const { logIn } = await ask(
    'mutation($input: LogInInput!) { logIn(input: $input) { accessToken viewer { user { id } } } }',
    { input: { handle: ALICE.handle, password: ALICE.password } },
  );
  const alice = (query, variables) => ask(query, variables, logIn.accessToken);
  const author = await newPerson('Ada Author');
  await alice(
    'mutation($id: ID!) { userFollow(input: { userId: $id }) { userErrors { message } } }',
    { id: author.id },
  );
  await author.follow(logIn.viewer.user.id);
  await author.offer('A lamp');
  for (const number of [1, 2, 3]) await author.post(`Number ${number} of a lamp`);
  const { products } = await ask('{ products(first: 20) { nodes { id stock } } }');
  const productId = products.nodes.find(({ stock }) => stock > 0).id;
  const place = 'mutation($lines: [OrderLineInput!]!) { orderPlace(input: { lines: $lines }) {';
  await alice(`${place} userErrors { message } } }`, { lines: [{ productId, quantity: 1 }] });
  await until('the order is confirmed', async () => {
    const { viewer } = await alice('{ viewer { orders(first: 5) { nodes { status } } } }');
    return viewer.orders.nodes.some(({ status }) => status === 'CONFIRMED');
  });
}

/** Nothing was refused, whatever was asked for. */
function holds(title, { data, errors }) {
  assert.deepEqual(errors ?? [], [], title);
  for (const payload of Object.values(data)) assert.deepEqual(payload?.userErrors ?? [], [], title);
}

/** Does as the example says: sends the announced bytes. */
async function sendImage({ imageCreate }) {
  const bytes = await (await fetch(`${PLAZA_URL}/icon-192.png`)).arrayBuffer();
  const sent = await fetch(new URL(imageCreate.uploadUrl, `${PLAZA_URL}/graphql`), {
    method: 'PUT',
    body: bytes,
  });
  assert.ok(sent.ok, `the upload is answered by ${sent.status}`);
}

/** Those that are asked for by the socket, and whether something comes at once. */
const WATCHED = new Map([
  ['Watch the home feed', false],
  ['Go on where it ended', true],
  ['Watch an order', true],
]);

test(
  'each example runs as it is',
  withPages({}, async (open) => {
    await seeded();
    const { page, goto } = await open();
    await goto('/graphiql');
    await logIn(page, ALICE);
    const titles = await page
      .getByRole('region', { name: 'Examples' })
      .locator('button strong')
      .allInnerTexts();
    assert.ok(titles.length > 15, titles.join());
    for (const [index, title] of titles.entries()) {
      await example(page, title).click();
      // The first tab has the page's welcome.
      await page
        .getByRole('tab')
        .nth(index + 1)
        .waitFor();
      const watched = WATCHED.get(title);
      if (watched === undefined) {
        // What the example's variables are found by has no name.
        const answered = page.waitForResponse((response) =>
          Boolean(JSON.parse(response.request().postData() ?? '{}').operationName),
        );
        await run(page).click();
        const said = await (await answered).json();
        holds(title, said);
        if (said.data.imageCreate) await sendImage(said.data);
        if (title === 'Explain') assert.ok(said.extensions.explain);
        continue;
      }
      await run(page).click();
      if (watched) await answer(page).getByText('cursor').first().waitFor();
      if (title === 'Watch an order') await run(page).waitFor();
      else await page.getByRole('button', { name: /^Stop query/ }).click();
      assert.equal(await answer(page).getByText('"errors"').count(), 0, title);
    }
  }),
);
