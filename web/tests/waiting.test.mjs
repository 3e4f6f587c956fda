import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson, until } from './support/api.mjs';
import {
  closeBrowser,
  logIn,
  openBrowser,
  PHONE,
  sent,
  untilKept,
  untilLive,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];
const post = (page, text) => page.getByRole('article').filter({ hasText: text });

/** What plaza has, whatever a page shows. */
async function atPlaza(author, writer, token) {
  const { read, written } = await ask(
    `query($author: String!, $writer: String!) {
      read: user(handle: $author) {
        followerCount
        posts(first: 20) { nodes { text likeCount commentCount } }
      }
      written: user(handle: $writer) { posts(first: 20) { nodes { text } } }
    }`,
    { author: author.handle, writer: writer.handle },
    token,
  );
  return { posts: read.posts.nodes, written: written.posts.nodes.map(({ text }) => text) };
}

/** The way of these pages' sockets to plaza, which can be cut: without it plaza is out of reach. */
async function socketsOf(context) {
  const open = new Set();
  let whole = true;
  await context.routeWebSocket('**/graphql', (socket) => {
    if (!whole) return void socket.close();
    socket.connectToServer();
    open.add(socket);
  });
  const cut = async () => {
    whole = false;
    for (const socket of open) await socket.close();
    open.clear();
  };
  return { cut, mend: () => void (whole = true) };
}

test(
  'what is done without a network is kept over a reload, and is there once when the network is back',
  withPages({ viewport: PHONE, expected: BROKEN, serviceWorkers: 'allow' }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post('There before');
    const { page, goto, context } = await open();
    await logIn({ page, goto }, reader);
    await untilLive(page);
    await untilKept(page);
    await post(page, 'There before').waitFor();

    await context.setOffline(true);
    await page.getByText('You are offline').waitFor();
    await post(page, 'There before').getByRole('button', { name: 'Like: 0' }).click();
    await post(page, 'There before')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .waitFor();
    await page.getByLabel('Your post').fill('Written in a tunnel');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByText('2 actions are sent when you are back').waitFor();
    await page.getByRole('alert').filter({ hasText: 'This is kept' }).first().waitFor();

    // There is no network for the page either: the one that was kept says how things stand.
    const response = await page.reload();
    assert.ok(response.fromServiceWorker());
    await page.getByText('You are offline').waitFor();
    await page.getByText('2 actions are sent when you are back').waitFor();
    assert.equal(await page.getByLabel('Your post').inputValue(), 'Written in a tunnel');
    await context.setOffline(false);
    await page.getByText('What was waiting has been sent').waitFor();
    await post(page, 'Written in a tunnel').waitFor();
    await post(page, 'There before')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .waitFor();
    await page.waitForFunction(() => document.querySelector('textarea').value === '');
    assert.equal(await post(page, 'Written in a tunnel').count(), 1);

    const { posts, written } = await atPlaza(author, reader, reader.token);
    assert.deepEqual(written, ['Written in a tunnel']);
    assert.equal(posts[0].likeCount, 1);
    // Nothing is left that another visit would send.
    await page.reload();
    await post(page, 'Written in a tunnel').waitFor();
    const left = await page.evaluate(
      () => Object.keys(localStorage).filter((name) => name.includes('.queue.entry.')).length,
    );
    assert.equal(left, 0);
  }),
);

test(
  'what waits is said in every tab, until it is sent',
  withPages({ expected: BROKEN }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await author.post('There before');
    const { page, goto, context } = await open();
    const sockets = await socketsOf(context);
    await logIn({ page, goto }, reader);
    const beside = await context.newPage();
    await beside.goto(new URL('/shop', page.url()).href);
    await untilLive(beside);
    await goto(`/u/${author.handle}`);
    await post(page, 'There before').waitFor();
    await untilLive(page);

    // The device has a network, plaza is out of reach all the same.
    await context.route('**/graphql', (route) => route.abort());
    await sockets.cut();
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await post(page, 'There before').getByRole('button', { name: 'Like: 0' }).click();
    for (const each of [page, beside]) await each.getByText('2 actions wait to be sent.').waitFor();
    await context.unroute('**/graphql');
    sockets.mend();
    for (const each of [page, beside])
      await each.getByText('wait to be sent').waitFor({ state: 'detached' });
    const likes = async () => (await atPlaza(author, reader, reader.token)).posts[0].likeCount;
    await until('both are done', async () => (await likes()) === 1);

    // Nor is there a network.
    await context.setOffline(true);
    await post(page, 'There before')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .click();
    for (const each of [page, beside])
      await each.getByText('1 action is sent when you are back.').waitFor();
    await context.setOffline(false);
    for (const each of [page, beside])
      await each.getByText('You are offline').waitFor({ state: 'detached' });
    await until('the like is taken back', async () => (await likes()) === 0);
  }),
);

test(
  'what plaza did, and whose answer was lost with the connection, is not done again after a reload',
  withPages({ expected: BROKEN }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const product = await author.offer('A lamp', { stock: 5 });
    await author.post('There before', product);
    const { page, goto, context } = await open();
    let cut = false;
    const sockets = await socketsOf(context);
    const keys = new Map();
    await context.route('**/graphql', async (route) => {
      const request = route.request();
      const [, name] = /mutation (\w+)/.exec(request.postData() ?? '') ?? [];
      const key = request.headers()['idempotency-key'];
      if (name) keys.set(name, [...(keys.get(name) ?? []), key]);
      if (!cut) return route.continue();
      // It arrives, and is done; what plaza says of it does not.
      if (name) await route.fetch();
      return route.abort();
    });
    await logIn({ page, goto }, reader);
    await untilLive(page);
    await goto(`/u/${author.handle}`);
    await untilLive(page);
    await post(page, 'There before').waitFor();

    cut = true;
    await sockets.cut();
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await post(page, 'There before').getByRole('button', { name: 'Like: 0' }).click();
    await page.getByRole('alert').filter({ hasText: 'This is kept' }).first().waitFor();
    await page.goBack();
    await page.getByLabel('Your post').fill('Sent, and not heard of');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByRole('button', { name: 'Sending…' }).waitFor();
    // What is first in the queue has been sent many times by now, what is behind it not once.
    assert.ok(keys.get('Follow').length > 1);
    await page.reload();
    await page.getByText('This could not be loaded').waitFor();

    cut = false;
    sockets.mend();
    await sent(page, 'Sent, and not heard of').waitFor();
    await page.getByText('What was waiting has been sent').waitFor();
    await goto(`/u/${author.handle}`);
    await page.getByRole('button', { name: 'Following' }).waitFor();
    await post(page, 'There before')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .waitFor();
    const { posts, written } = await atPlaza(author, reader, reader.token);
    assert.deepEqual(written, ['Sent, and not heard of']);
    assert.equal(posts[0].likeCount, 1);
    for (const name of ['Follow', 'Like', 'WritePost'])
      assert.equal(new Set(keys.get(name)).size, 1, `${name}: one action, one key`);
  }),
);
