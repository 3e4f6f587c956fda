import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson, PLAZA_URL } from './support/api.mjs';
import { closeBrowser, logIn, openBrowser, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

/** Bytes on the wire, headers and all, of everything that a visit brings; and what of it came as it lies on the disk. */
async function weigh({ page, context }, visit) {
  // By what is asked for: what the page before had asked for is answered during the visit, too.
  const asked = [];
  const note = (request) => asked.push(request);
  context.on('request', note);
  await visit();
  await page.waitForLoadState('networkidle');
  context.off('request', note);
  let bytes = 0;
  const plain = [];
  for (const request of asked) {
    const response = await request.response();
    if (!response) continue;
    const { responseBodySize, responseHeadersSize } = await request.sizes();
    bytes += responseBodySize + responseHeadersSize;
    const type = response.headers()['content-type'] ?? '';
    if (/javascript|css/.test(type) && responseBodySize > 2_000 && !response.headers()['content-encoding']) plain.push(response.url());
  }
  return { bytes, plain };
}

test('a first visit home takes at most 150 KB', withPages({}, async (open) => {
  const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
  await reader.follow(author.id);
  for (let number = 1; number <= 20; number += 1) await author.post(`Post number ${number}.`);
  const there = await open();
  await logIn(there, reader);
  // Logged in, but with nothing in the browser's memory.
  const session = await there.context.newCDPSession(there.page);
  await session.send('Network.clearBrowserCache');
  const { bytes, plain } = await weigh(there, async () => {
    await there.page.reload();
    await there.page.getByText('Post number 20.').waitFor();
  });
  assert.deepEqual(plain, [], 'uncompressed');
  assert.ok(bytes > 50_000 && bytes <= 150_000, `${bytes} bytes`);
}));

test('the playground takes at most 2.1 MB', withPages({}, async (open) => {
  const there = await open();
  const { bytes, plain } = await weigh(there, async () => {
    await there.goto('/graphiql');
    await there.page.locator('.graphiql-container .monaco-editor').first().waitFor();
  });
  assert.deepEqual(plain, [], 'uncompressed');
  assert.ok(bytes > 500_000 && bytes <= 2_100_000, `${bytes} bytes`);
}));

test('the frame of a page is there before its scripts', withPages({}, async (open) => {
  const { page, context } = await open();
  // Scripts that never come.
  await context.route(/\/assets\/.*\.js$/, () => undefined);
  await page.goto(`${PLAZA_URL}/shop`, { waitUntil: 'commit' });
  await page.getByRole('banner').getByText('plaza').waitFor();
  await page.getByRole('status', { name: 'Loading' }).waitFor();
  await context.unrouteAll({ behavior: 'ignoreErrors' });
}));
