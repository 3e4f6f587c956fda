// Every page and every state of the demo, for tests that look at all of them. Found by what things are, not by their words:
// it works in every language.
import assert from 'node:assert/strict';
import { ask, newPerson, until } from './api.mjs';
import { DESKTOP } from './browser.mjs';
import { png } from './png.mjs';

/** A world with something of everything; `data` is what people wrote, which no language changes. */
export async function aWorld() {
  const [author, reader, hidden, seller] = await Promise.all([
    newPerson('Qx Author'),
    newPerson('Qx Reader'),
    newPerson('Qx Hidden'),
    newPerson('Qx Seller'),
  ]);
  const run = (token, query, variables) => ask(query, variables, token);
  await run(
    hidden.token,
    'mutation { profileUpdate(input: { isPrivate: true }) { userErrors { code } } }',
  );
  const lamp = await author.offer('Qx lamp', { stock: 5, description: 'Qx glow.' });
  const lost = await seller.offer('Qx lost');
  const none = await author.offer('Qx gone', { stock: 0, description: 'Qx dark.' });
  const post = await author.post(`Qx words @${reader.handle} #qx https://example.org/qx`, lamp);
  const long = await author.post(Array.from({ length: 14 }, () => 'Qx line').join('\n'));
  const quote = `mutation($input: PostCreateInput!) { postCreate(input: $input) { post { id } userErrors { code } } }`;
  await run(reader.token, quote, { input: { text: 'Qx quote', quotedPostId: post } });
  const repost = `mutation($id: ID!) { postRepost(input: { postId: $id }) { userErrors { code } } }`;
  await run(reader.token, repost, { id: post });
  await reader.follow(author.id);
  await author.follow(reader.id);
  await reader.like(post);
  const comment = `mutation($input: CommentCreateInput!) { commentCreate(input: $input) { comment { id } userErrors { code } } }`;
  const { commentCreate } = await run(reader.token, comment, {
    input: { postId: post, text: 'Qx one' },
  });
  const inReplyToId = commentCreate.comment.id;
  await run(author.token, comment, { input: { postId: post, text: 'Qx two', inReplyToId } });
  const place = `mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { userErrors { code } } }`;
  for (const [productId, quantity] of [
    [lamp, 1],
    [lamp, 2],
    [lost, 1],
    [none, 1],
  ])
    await run(reader.token, place, { input: { lines: [{ productId, quantity }] } }).catch(
      () => undefined,
    );
  const block = `mutation($id: ID!) { userBlock(input: { userId: $id }) { userErrors { code } } }`;
  await run(hidden.token, block, { id: author.id });
  // What was bought stays on the order, though the reader may no longer see who sold it.
  await run(seller.token, block, { id: reader.id });
  await reader.follow(hidden.id);
  const count = '{ viewer { unreadNotificationCount } }';
  await until('notifications have come', async () => {
    const counts = [author, reader, hidden].map(({ token }) => run(token, count));
    return (await Promise.all(counts)).every(({ viewer }) => viewer.unreadNotificationCount > 0);
  });
  const answers = `query($id: ID!) { post(id: $id) { reposts { nodes { id } } quotes { nodes { id } } } }`;
  await until('reposts and quotes are listed', async () => {
    const { reposts, quotes } = (await run(author.token, answers, { id: post })).post;
    return reposts.nodes.length > 0 && quotes.nodes.length > 0;
  });
  const data = [author, reader, hidden].flatMap(({ handle, displayName }) => [handle, displayName]);
  return { author, reader, hidden, post, long, lamp, none, data };
}

const LOADED = ':not(.skeletons) > .skeleton, .skeletons';

/** Until nothing is on its way any more. */
async function settled(page) {
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  await page.locator(LOADED).first().waitFor({ state: 'detached' });
  await page.evaluate(() => document.fonts.ready);
}

async function enter({ page, goto }, person) {
  await goto('/login');
  await page.locator('input[name=handle]').fill(person.handle);
  await page.locator('input[name=password]').fill(person.password);
  await page.locator('form.entrance button[type=submit]').click();
  await page.locator('.composer-post').waitFor();
}

/** Calls back with a page for each state, and its name. */
export async function everyState(open, world, visit, options = {}) {
  const { author, reader, hidden, post, long, lamp, none } = world;
  const opened = async (person) => {
    const it = await open({ viewport: DESKTOP, ...options });
    if (person) await enter(it, person);
    const at = async (path, name = path) => {
      // Also of what is not there: the page says so.
      const response = await it.goto(path);
      assert.equal(response.status(), 200, `${path} is served`);
      await settled(it.page);
      await visit(it.page, name);
    };
    return { ...it, at };
  };

  const guest = await opened(null);
  for (const path of [
    '/',
    '/login',
    '/signup',
    '/shop',
    '/search',
    '/tag/qx',
    `/u/${author.handle}`,
  ])
    await guest.at(path, `guest ${path}`);
  await guest.at(`/p/${post}`, 'guest: a post');
  await guest.at(`/shop/${lamp}`, 'guest: a product');
  await guest.at('/p/nothing', 'guest: no such post');
  await guest.at('/p/nothing/likes', 'guest: likes of no such post');
  await guest.at(`/p/${long}/reposts`, 'guest: reposts that there are none of');
  await guest.at('/u/qxqxqx', 'guest: nobody');
  await guest.at('/signup', 'sign-up');
  for (const [name, value] of [
    ['displayName', 'Qx'],
    ['handle', author.handle],
    ['email', 'qx@example.org'],
    ['password', 'a-long-enough-password'],
  ])
    await guest.page.locator(`input[name=${name}]`).fill(value);
  await guest.page.locator('form.entrance button[type=submit]').click();
  await guest.page.locator('small.problem').first().waitFor();
  await visit(guest.page, 'a form that was refused');

  const seller = await opened(author);
  await seller.at('/analytics', 'analytics with figures');
  await seller.at('/notifications', 'grouped notifications');
  await seller.at('/notifications/all', 'notifications');
  await seller.at(`/u/${author.handle}`, 'own profile');
  const picture = { name: 'qx.png', mimeType: 'image/png', buffer: png(640, 480) };
  await seller.page.locator('.profile input[type=file]').setInputFiles([picture]);
  await seller.page.locator('.crop [role=group]').waitFor();
  await visit(seller.page, 'choosing what is seen of a picture');
  await seller.page.keyboard.press('Escape');
  await seller.page.locator('dialog.sheet').waitFor({ state: 'detached' });
  await seller.at(`/u/${author.handle}/followers`, 'followers');
  await seller.at(`/u/${author.handle}/following`, 'following');
  await seller.at(`/u/${author.handle}/shop`, 'the products of a person');

  const asked = await opened(hidden);
  await asked.at('/requests', 'follow requests');
  await asked.at('/settings/blocked', 'blocked people');
  await asked.at('/notifications', 'a request among the notifications');

  const me = await opened(reader);
  const { page, context, at } = me;
  for (const path of ['/orders', '/settings', '/sessions', '/notifications/preferences', '/shop'])
    await at(path);
  await at('/shop?order=PRICE_ASCENDING&currency=EUR', 'the shop by price');
  await at(`/u/${hidden.handle}`, 'a private person');
  await at(`/shop/${none}`, 'a product that is sold out');
  await at(`/p/${post}/quote`, 'quoting');
  for (const kind of ['people', 'posts', 'products'])
    await at(`/search?q=qx&in=${kind}`, `found ${kind}`);
  await at('/search?q=nothing-like-this-zz&in=posts', 'nothing found');

  // What pages look like before they are there is among the parts, and stays.
  await me.goto('/parts');
  await page.locator('.part .tiles').first().waitFor();
  await page.evaluate(() => document.fonts.ready);
  await visit(page, 'every part');

  for (const which of ['likes', 'reposts', 'quotes'])
    await at(`/p/${post}/${which}`, `${which} of a post`);
  await me.goto('/settings');
  await page.locator('textarea[name=bio]').fill('Qx words');
  await visit(page, 'a profile that is not saved');

  await at(`/p/${post}`, 'a post with comments');
  await page.locator('.thread .post-foot .chip').first().click();
  await page.locator('.answers .thread').first().waitFor();
  await page.locator('.thread .post-foot .chip').nth(1).click();
  await page.locator('.thread .composer').first().waitFor();
  await visit(page, 'replies and a reply');
  for (const [menu, name] of [
    ['main article .chip-menu', 'a menu'],
    ['.thread .chip-menu', 'the menu of a comment'],
  ]) {
    await page.locator(menu).first().click();
    await page.locator('[role=menu]').waitFor();
    await visit(page, name);
    await page.keyboard.press('Escape');
  }

  await at('/', 'home');
  await page.setViewportSize(DESKTOP);
  await page.locator('.composer-post .emoji-place > button').click();
  await page.locator('.emoji').waitFor();
  await visit(page, 'choosing an emoji');
  await page.keyboard.press('Escape');
  await page.locator('.composer-post textarea').fill('@qx');
  await page.locator('[role=listbox] [role=option]').first().waitFor();
  await visit(page, 'handles that complete what is written');
  await page.locator('.composer-post textarea').fill(`Qx ${'long '.repeat(420)}`);
  await visit(page, 'a text that is too long');
  await page.locator('.composer-post textarea').fill('Qx image');
  await page.locator('.composer-post input[type=file]').setInputFiles([
    { name: 'qx.png', mimeType: 'image/png', buffer: png(640, 360) },
    { name: 'qx2.png', mimeType: 'image/png', buffer: Buffer.from('<p>') },
  ]);
  await page.locator('.attachment .problem').waitFor();
  await page.waitForFunction(() => !document.querySelector('.attachment progress'));
  await visit(page, 'images to be sent, one refused');
  await page
    .locator('.attachment', { has: page.locator('.problem') })
    .locator('.chip')
    .click();
  await page.locator('.attachment input').fill('Qx dunes');
  await page.locator('.composer-post button[type=submit]:enabled').click();
  await page.locator('.toast').waitFor();
  await page.locator('.pictures a').first().waitFor();
  await visit(page, 'an image in the feed, and a message at the foot');
  await page.locator('.pictures a').first().click();
  await page.locator('dialog.viewer[open] img').waitFor();
  await visit(page, 'the image viewer');
  await page.keyboard.press('Escape');
  await page.locator('dialog.viewer').waitFor({ state: 'detached' });
  await page.locator('body').press('?');
  await page.locator('dialog.sheet[open]').waitFor();
  await visit(page, 'the list of shortcuts');
  await page.keyboard.press('Escape');

  await at(`/shop/${lamp}`, 'a product');
  await page.locator('form.buy button[type=submit]').click();
  await page.locator('article.order').waitFor();
  await visit(page, 'a product that was ordered');

  await context.setOffline(true);
  await page.locator('.offline').waitFor();
  await visit(page, 'offline');
  await context.setOffline(false);
  await context.route('**/graphql', (route) => route.abort());
  await page.goto(page.url());
  await page.locator('.state-failed').waitFor();
  await visit(page, 'a page that could not be loaded');
  await context.unroute('**/graphql');

  const fresh = await opened(await newPerson('Qx Fresh'));
  for (const path of [
    '/',
    '/orders',
    '/notifications',
    '/notifications/all',
    '/requests',
    '/settings/blocked',
    '/analytics',
  ])
    await fresh.at(path, `empty ${path}`);
}
