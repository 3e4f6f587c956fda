import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import {
  closeBrowser,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  untilLive,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const post = (page, text) => page.getByRole('article').filter({ hasText: text });

test(
  'a post arrives at a follower, live, is liked and commented on',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const reading = await open();
    await logIn(reading, reader);
    await untilLive(reading.page);

    // Follow in the browser; shown at once.
    await reading.goto(`/u/${author.handle}`);
    await reading.page.getByRole('button', { name: 'Follow', exact: true }).click();
    await reading.page.getByRole('button', { name: 'Following' }).waitFor();
    await reading.page.getByRole('link', { name: 'Home' }).click();
    await untilLive(reading.page);
    await reading.page.getByText('It is quiet here').waitFor();

    // The author writes in a browser of their own, and sees it.
    const writing = await open();
    await logIn(writing, author);
    await writing.page.getByLabel('Your post').fill('Good morning, plaza');
    await writing.page.getByText('19 / 2,000').waitFor();
    await writing.page.getByRole('button', { name: 'Post', exact: true }).click();
    await post(writing.page, 'Good morning, plaza').waitFor();
    await writing.page.waitForFunction(() => document.querySelector('textarea').value === '');

    // It is announced, not pushed under the reader's eyes.
    const pill = reading.page.getByRole('button', { name: '1 new post' });
    await pill.waitFor();
    assert.equal(await post(reading.page, 'Good morning, plaza').count(), 0);
    await author.post('And a second one');
    await reading.page.getByRole('button', { name: '2 new posts' }).click();
    await post(reading.page, 'And a second one').waitFor();
    const texts = await reading.page
      .getByRole('list', { name: 'Home feed' })
      .locator('.prose')
      .allTextContents();
    assert.deepEqual(texts, ['And a second one', 'Good morning, plaza']);

    const like = post(reading.page, 'Good morning, plaza').getByRole('button', { name: /^Like/ });
    await like.click();
    await post(reading.page, 'Good morning, plaza')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .waitFor();
    await post(reading.page, 'Good morning, plaza')
      .getByRole('link', { name: 'Comments: 0' })
      .click();
    await reading.page.getByText('No comments yet').waitFor();
    await reading.page.getByLabel('Your comment').fill('Good morning to you');
    await reading.page.getByRole('button', { name: 'Comment', exact: true }).click();
    await reading.page
      .getByRole('list', { name: 'Comments' })
      .getByText('Good morning to you')
      .waitFor();
    await reading.page.getByRole('link', { name: 'Comments: 1' }).waitFor();

    // All of which the author was told of meanwhile.
    await writing.page.getByRole('link', { name: 'Notifications' }).click();
    const told = writing.page.getByRole('list', { name: 'Notifications' });
    await told.getByText('commented on your post').waitFor();
    await told.getByText('likes your post').waitFor();
    await told.getByText('follows you').waitFor();
  }),
);

test(
  'what was written while the socket was away comes once, in order',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post('Before');
    const reading = await open();
    const road = await breakableRoad(reading.page);
    await logIn(reading, reader);
    await untilLive(reading.page);
    await post(reading.page, 'Before').waitFor();
    await author.post('During');
    await reading.page.getByRole('button', { name: '1 new post' }).click();
    await post(reading.page, 'During').waitFor();

    road.cut();
    await reading.page.getByRole('status').filter({ hasText: 'Reconnecting' }).waitFor();
    await author.post('Missed one');
    await author.post('Missed two');
    road.mend();
    await reading.page.getByRole('button', { name: '2 new posts' }).click();
    await post(reading.page, 'Missed two').waitFor();
    const texts = await reading.page
      .getByRole('list', { name: 'Home feed' })
      .locator('.prose')
      .allTextContents();
    assert.deepEqual(texts, ['Missed two', 'Missed one', 'During', 'Before']);
  }),
);

test(
  'the feed is asked for at once, and nothing is lost however late the socket is',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post('Before');
    const first = await open();
    await logIn(first, reader);
    await post(first.page, 'Before').waitFor();

    // The same person comes again, with a socket that does not stand before something was written.
    let connect;
    const written = new Promise((resolve) => (connect = resolve));
    await first.page.routeWebSocket(/graphql$/, async (socket) => {
      await written;
      socket.connectToServer();
    });
    await first.page.reload();
    await post(first.page, 'Before').waitFor();
    assert.equal(
      await first.page
        .getByRole('status')
        .filter({ hasText: /^Live$/ })
        .count(),
      0,
      'the feed did not wait for the socket',
    );
    await author.post('In between');
    connect();
    await first.page.getByRole('button', { name: '1 new post' }).click();
    await post(first.page, 'In between').waitFor();
    const texts = await first.page
      .getByRole('list', { name: 'Home feed' })
      .locator('.prose')
      .allTextContents();
    assert.deepEqual(texts, ['In between', 'Before']);
  }),
);

/** The way of the page's sockets to plaza: cut, the open ones break, and new ones break as they open. */
async function breakableRoad(page) {
  const open = new Set();
  let whole = true;
  await page.routeWebSocket(/graphql$/, (socket) => {
    if (!whole) return void socket.close({ code: 1012 });
    open.add(socket);
    socket.connectToServer();
  });
  const cut = () => {
    whole = false;
    // The library alone would give up on this one.
    for (const socket of open) void socket.close({ code: 1008 });
    open.clear();
  };
  return { cut, mend: () => void (whole = true) };
}

test(
  'what was told is in its list, also when the list is read from a replica that is behind',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const liked = await author.post('Like this');
    const writing = await open();
    await logIn(writing, author);
    await untilLive(writing.page);
    await reader.follow(author.id);
    await writing.page.getByLabel('1 new').waitFor();
    await reader.like(liked);
    await writing.page.getByLabel('2 new').waitFor();

    // The list as it was before the like.
    await writing.context.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('query Notifications')) return route.continue();
      const response = await route.fetch();
      const json = await response.json();
      const { notifications } = json.data.viewer;
      notifications.edges = notifications.edges.filter(({ node }) => node.kind !== 'LIKED');
      return route.fulfill({ response, json });
    });
    await writing.page.getByRole('link', { name: 'Notifications' }).click();
    await writing.page.getByRole('link', { name: 'One by one' }).click();
    const list = writing.page.getByRole('list', { name: 'Notifications' });
    await list.getByText('follows you').waitFor();
    await list.getByText('likes your post').waitFor();
    assert.equal(await list.getByRole('listitem').count(), 2);
  }),
);

test(
  'the feed goes on as it is scrolled',
  withPages({ viewport: PHONE }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    for (let number = 1; number <= 45; number += 1) await author.post(`Post number ${number}.`);
    const reading = await open();
    await logIn(reading, reader);
    await post(reading.page, 'Post number 45.').waitFor();
    const first = post(reading.page, 'Post number 1.');
    while ((await first.count()) === 0) {
      await reading.page.mouse.wheel(0, 4_000);
      await reading.page.waitForFunction(
        () =>
          document.scrollingElement.scrollTop + innerHeight <
            document.scrollingElement.scrollHeight ||
          document.body.textContent.includes('Post number 1.'),
      );
    }
    const texts = await reading.page
      .getByRole('list', { name: 'Home feed' })
      .locator('.prose')
      .allTextContents();
    assert.deepEqual(
      texts,
      Array.from({ length: 45 }, (_, index) => `Post number ${45 - index}.`),
    );
    // Who has come this far is told that there is no more.
    await reading.page.getByText('That is all.').waitFor();
    await fitsSideways(reading.page);
  }),
);

test(
  'a text is counted in characters, and kept from being too long',
  withPages({}, async (open) => {
    const me = await newPerson();
    const writing = await open();
    await logIn(writing, me);
    const field = writing.page.getByLabel('Your post');
    const send = writing.page.getByRole('button', { name: 'Post', exact: true });
    await field.fill('  🌿🌿🌿  ');
    await writing.page.getByText('3 / 2,000').waitFor();
    await field.fill('🌿'.repeat(2_001));
    await writing.page.getByText('2,001 / 2,000').waitFor();
    assert.ok(await send.isDisabled());
    await field.fill('🌿'.repeat(2_000));
    await send.click();
    await post(writing.page, '🌿🌿🌿').waitFor();
  }),
);

test(
  'a profile: follow, unfollow, and the posts',
  withPages({ viewport: PHONE }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await author.post('On my page');
    const reading = await open();
    await logIn(reading, reader);
    await reading.goto(`/u/${author.handle}`);
    await post(reading.page, 'On my page').waitFor();
    await reading.page.getByRole('button', { name: 'Follow', exact: true }).click();
    await reading.page.getByRole('button', { name: 'Following' }).click();
    await reading.page.getByRole('button', { name: 'Follow', exact: true }).waitFor();
    await fitsSideways(reading.page);
  }),
);
