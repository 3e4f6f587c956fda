// What a browser needs to install the demo, and what is there without a network.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson, PLAZA_URL } from './support/api.mjs';
import { closeBrowser, logIn, openBrowser, untilKept, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];

const ask = async (path) => {
  const response = await fetch(new URL(path, PLAZA_URL));
  assert.equal(response.status, 200, path);
  return response;
};

/** Width and height of a PNG, from its head. */
async function sizeOf(path) {
  const response = await ask(path);
  assert.match(response.headers.get('content-type'), /^image\/png/, path);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(bytes.toString('latin1', 1, 4), 'PNG', path);
  return `${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`;
}

test('the manifest has what an installation needs, and icons of the sizes it says', async () => {
  const html = await (await ask('/')).text();
  const [, path] = /<link rel="manifest" href="([^"]+)"/.exec(html);
  const manifest = await (await ask(path)).json();
  for (const name of ['name', 'short_name', 'start_url', 'scope', 'display', 'theme_color'])
    assert.ok(manifest[name], name);
  const sizes = new Set();
  for (const { src, sizes: wanted, type } of manifest.icons) {
    assert.equal(type, 'image/png');
    assert.equal(await sizeOf(src), wanted, src);
    sizes.add(wanted);
  }
  assert.ok(sizes.has('192x192') && sizes.has('512x512'), 'the sizes that browsers ask for');
  assert.ok(manifest.icons.some(({ purpose }) => purpose === 'maskable'));
  const [, touch] = /<link rel="apple-touch-icon" href="([^"]+)"/.exec(html);
  await sizeOf(touch);
  for (const { url } of manifest.shortcuts) await ask(url);
});

test('a service worker in the browser’s memory is asked for all the same', async () => {
  const { headers } = await ask('/sw.js');
  assert.match(headers.get('content-type'), /javascript/);
  assert.equal(headers.get('cache-control'), 'no-cache');
});

/** In the page: puts another page in the place of the one that is kept. */
async function keepAnother(html) {
  const newest = (await caches.keys()).at(-1);
  const headers = { 'content-type': 'text/html' };
  await (await caches.open(newest)).put('/', new Response(html, { headers }));
}

/** In the page: what is kept, and in how many caches. */
async function everythingKept() {
  const names = await caches.keys();
  const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  return { caches: names.length, paths: all.flat().map(({ url }) => new URL(url).pathname) };
}

test(
  'with a network no page is an old one; without one it is the newest that was there',
  withPages({ expected: BROKEN, serviceWorkers: 'allow' }, async (open) => {
    const author = await newPerson('Ada Author');
    await author.post('There before');
    const { page, goto, context } = await open();
    await logIn({ page, goto }, author);
    await page.getByText('There before').waitFor();
    await untilKept(page);
    const shell = await page.evaluate(async () => (await caches.match('/')).text());

    // As if it had been kept at an earlier visit, from an earlier build.
    await page.evaluate(keepAnother, '<title>old</title><h1>An old page</h1>');
    await context.setOffline(true);
    await page.goto(`${PLAZA_URL}/shop`);
    await page.getByText('An old page').waitFor();
    await context.setOffline(false);
    const answers = [];
    page.on('response', (response) => answers.push(response));
    await page.goto(`${PLAZA_URL}/u/${author.handle}`);
    await page.getByText('There before').waitFor();
    assert.equal(await page.getByText('An old page').count(), 0);
    await page.waitForFunction(
      async ([shell]) => {
        const newest = await caches.open((await caches.keys()).at(-1));
        return (await (await newest.match('/'))?.text()) === shell;
      },
      [shell],
    );
    // A page that is about somebody is kept as one about nothing.
    assert.ok(!shell.includes(author.handle) && shell.includes('<title>plaza</title>'));

    const api = answers.filter((answer) =>
      /\/(graphql|media)/.test(new URL(answer.url()).pathname),
    );
    assert.ok(api.length > 0 && api.every((answer) => !answer.fromServiceWorker()));
    const scripts = answers.filter((answer) => /\/assets\/.*\.js$/.test(answer.url()));
    assert.ok(scripts.length > 0 && scripts.every((answer) => answer.fromServiceWorker()));
    const { paths, caches: count } = await page.evaluate(everythingKept);
    assert.deepEqual(
      paths.filter((path) => !/^\/(assets\/.+|theme\.js)?$/.test(path)),
      [],
    );
    assert.ok(count <= 2, `${count} builds`);

    // A page whose scripts were there once is there again.
    await untilKept(page);
    await context.setOffline(true);
    await page.reload();
    await page.getByText('You are offline').waitFor();
    await page.getByText('This could not be loaded').waitFor();
    await context.setOffline(false);
    await page.getByText('There before').waitFor();
  }),
);

test(
  'what the playground loads is not kept',
  withPages({ serviceWorkers: 'allow' }, async (open) => {
    const { page, goto } = await open();
    await goto('/shop');
    await untilKept(page);
    await goto('/graphiql');
    await page.locator('.graphiql-container .monaco-editor').first().waitFor();
    const { paths } = await page.evaluate(everythingKept);
    assert.deepEqual(
      paths.filter((path) => /graphiql|monaco|editor|worker/i.test(path)),
      [],
    );
  }),
);
