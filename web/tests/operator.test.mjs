import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_URL, newPerson } from './support/api.mjs';
import { PHONE, closeBrowser, fitsSideways, openBrowser, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const card = (page, name) =>
  page.locator('section').filter({ has: page.getByRole('heading', { name }) });

test(
  'operators see every part at a glance, and it goes on by itself',
  withPages({}, async (open) => {
    const author = await newPerson('Olga Operator');
    await author.post('Something to project');
    const { page } = await open();
    await page.goto(ADMIN_URL);
    for (const shard of [0, 1, 2, 3])
      await card(page, `shard ${shard}`).getByText('writes').waitFor();
    await card(page, 'shard 0').getByText('serves').first().waitFor();
    await card(page, 'RabbitMQ').getByText('plaza.feed').waitFor();
    await card(page, 'Kafka').getByText('post_counts').waitFor();
    await card(page, 'Connections').getByText('shard 3 replica 2').waitFor();
    const traffic = card(page, /^Traffic/);
    await traffic.getByText('operations a second, at most').waitFor();
    await card(page, /^Operations/)
      .getByText('mutation postCreate')
      .waitFor();
    const verdict = page.locator('#verdict');
    await verdict
      .filter({ hasText: 'Everything answers, nothing waits.' })
      .waitFor()
      .catch(async (error) => {
        throw new Error(`the page says: ${await verdict.innerText()}`, { cause: error });
      });
    const seen = await page.locator('#at').textContent();
    await page.waitForFunction(
      (before) => document.getElementById('at').textContent !== before,
      seen,
    );
  }),
);

test(
  'the page fits a phone, and says when its process is gone',
  withPages({ viewport: PHONE, expected: [/Failed to load|ERR_/] }, async (open) => {
    const { page } = await open();
    await page.goto(ADMIN_URL);
    await card(page, 'shard 3').getByText('writes').waitFor();
    await fitsSideways(page);
    await page.route('**/operator.json', (route) => route.abort());
    await page.getByText('this process does not answer').waitFor();
    await page.unroute('**/operator.json');
    await page.waitForFunction(() => !document.body.classList.contains('stale'));
    assert.equal(await page.title(), 'plaza: operator');
  }),
);
