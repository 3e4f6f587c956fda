// Every state of the pages beside the demo: GraphiQL, and the operator's page.
import { ADMIN_URL, newPerson } from './api.mjs';

const queryEditor = (page) => page.locator('.graphiql-query-editor .view-lines');
const answer = (page) => page.locator('.graphiql-response .view-lines');
const press = (page, name) => page.getByRole('button', { name });

/** Calls back with a page for each state of GraphiQL, and its name. */
export async function everyGraphiqlState(open, visit) {
  const author = await newPerson('Qx Author');
  const reader = await newPerson('Qx Reader');
  await reader.follow(author.id);
  await author.post('Qx words');
  await author.offer('Qx lamp');
  const { page, goto } = await open();
  await goto('/graphiql');
  await queryEditor(page).getByText('Newest').waitFor();
  await visit(page, 'GraphiQL');
  await press(page, /^(Execute|Run) query/).click();
  await answer(page).getByText('Qx lamp').first().waitFor();
  await visit(page, 'GraphiQL: an answer');

  const logIn = async (password) => {
    await page.getByLabel('Handle').fill(reader.handle);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
  };
  await logIn('not the password');
  await page.getByRole('alert').filter({ hasText: /./ }).waitFor();
  await visit(page, 'GraphiQL: a log-in that was refused');
  await logIn(reader.password);
  await page.getByText(`Requests are sent as @${reader.handle}`).waitFor();
  const examples = page.getByRole('region', { name: 'Examples' });
  await examples.getByText('Like a post', { exact: true }).click();
  await queryEditor(page).getByText('postLike').waitFor();
  await page.getByRole('tab').nth(1).waitFor();
  await press(page, 'Variables').click();
  await page.locator('.graphiql-editor-tool .view-lines').getByText('postId').first().waitFor();
  await visit(page, 'GraphiQL: somebody logged in, variables, and two tabs');
  await examples.getByText('Explain', { exact: true }).click();
  await queryEditor(page).getByText('HomeFeed').waitFor();
  await press(page, 'Headers').click();
  await page.locator('.graphiql-editor-tool .view-lines').getByText('Plaza-Explain').waitFor();
  await press(page, /^(Execute|Run) query/).click();
  await answer(page).getByText('Qx words').waitFor();
  await visit(page, 'GraphiQL: headers, and a long answer');
  await examples.getByText('Watch the home feed', { exact: true }).click();
  await queryEditor(page).getByText('homeUpdated', { exact: true }).waitFor();
  await press(page, /^(Execute|Run) query/).click();
  await press(page, /^Stop query/).waitFor();
  await visit(page, 'GraphiQL: a subscription');
  await press(page, /^Stop query/).click();

  await press(page, 'Show History').click();
  await page.getByRole('region', { name: 'History' }).locator('li').first().waitFor();
  await visit(page, 'GraphiQL: the history');
  await press(page, 'Show Documentation Explorer').click();
  const docs = page.getByRole('region', { name: 'Documentation Explorer' });
  const link = (name) => docs.getByRole('link', { name, exact: true });
  await link('Query').waitFor();
  await visit(page, 'GraphiQL: the documentation');
  await link('Query').click();
  await link('peopleSearch').waitFor();
  await visit(page, 'GraphiQL: a type');
  await docs.getByRole('combobox').fill('Search');
  await page.getByRole('option').first().waitFor();
  await visit(page, 'GraphiQL: a search in the documentation');
  await page.keyboard.press('Escape');
  await link('peopleSearch').click();
  await docs.getByText('Arguments').waitFor();
  await visit(page, 'GraphiQL: a field');
  await press(page, 'Open short keys dialog').click();
  await page.getByRole('dialog').waitFor();
  await visit(page, 'GraphiQL: the short keys');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press(page, 'Open settings dialog').click();
  await page.getByRole('dialog').waitFor();
  await visit(page, 'GraphiQL: its settings');
}

/** What the operator's page says when nothing it depends on answers. */
function unavailable(told) {
  const gone = { unavailable: 'no answer within 2 s' };
  const shards = told.shards.map((shard) => ({
    ...shard,
    primary: gone,
    replicas: shard.replicas.map((replica) => ({ ...replica, serves: false, lagBytes: gone })),
  }));
  const pools = told.pools.map((pool) => ({ ...pool, open: pool.most, idle: 0, waiting: 3 }));
  const process = { ...told.process, ready: false };
  return { ...told, shards, pools, process, rabbitmq: gone, kafka: gone, redis: gone };
}

/** What Prometheus answers while one alarm fires and another may. */
const ALERTS = {
  status: 'success',
  data: {
    alerts: [
      {
        labels: { alertname: 'RequestsFail', severity: 'page' },
        annotations: {
          summary: '6.1% of requests fail for our sake.',
          runbook_url: 'docs/operations.md#requestsfail',
        },
        state: 'firing',
      },
      {
        labels: { alertname: 'RequestsSlow', severity: 'warn' },
        annotations: { summary: '95 % take up to 0.7 s.' },
        state: 'pending',
      },
    ],
  },
};

/** A server under load, some of whose requests fail. Prometheus answers where the page is. */
function busy(told) {
  const rate = (perS, failedPerS, p95Ms) => ({ perS, failedPerS, p50Ms: p95Ms / 4, p95Ms });
  const history = Array.from({ length: 120 }, (_, index) =>
    rate(200 + 80 * Math.sin(index / 9), index % 7, 20 + (index % 40)),
  );
  const traffic = {
    windowS: 60,
    total: rate(231.4, 14.2, 38.2),
    operations: [
      { operation: 'query viewer.home', ...rate(120.5, 2.5, 31.4) },
      { operation: 'mutation postCreate', ...rate(4.2, 0, 61.7) },
    ],
    errors: [
      ['TIMEOUT', 14],
      ['FORBIDDEN', 0.2],
    ],
    rateLimited: 3,
    overloaded: 1.5,
    inFlight: 71,
    maxInFlight: 96,
    sockets: 1204,
    subscriptions: 2190,
    history,
  };
  return { ...told, traffic, prometheusUrl: ADMIN_URL };
}

/** Calls back with a page for each state of the operator's page, and its name. */
export async function everyOperatorState(open, visit) {
  const { page } = await open();
  // One route that answers in turns: between a route that ends and the next one, requests pass.
  let answer = (route) => route.continue();
  await page.route('**/operator.json', (route) => answer(route));
  await page.goto(ADMIN_URL);
  await page.getByText('Connections of this process').waitFor();
  await visit(page, 'operator');
  answer = async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: busy(await response.json()) });
  };
  await page.route('**/api/v1/alerts', (route) => route.fulfill({ json: ALERTS }));
  await page.getByText('RequestsFail').first().waitFor();
  await visit(page, 'operator: traffic, faults and alarms');
  answer = async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: unavailable(await response.json()) });
  };
  await page.getByText('RabbitMQ is unavailable').waitFor();
  await visit(page, 'operator: nothing answers');
  answer = (route) => route.abort();
  await page.getByText('this process does not answer').waitFor();
  await visit(page, 'operator: its process is gone');
}
