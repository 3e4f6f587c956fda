import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson } from './support/api.mjs';
import { closeBrowser, fitsSideways, logIn, openBrowser, PHONE, picture, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

test('a profile is edited: name, bio, private; what is refused is said at its field', withPages({ viewport: PHONE }, async (open) => {
  const me = await newPerson('Ada Author');
  const { page, goto } = await open();
  await logIn({ page, goto }, me);
  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByRole('main').getByRole('link', { name: 'Settings' }).click();
  await page.getByLabel('Name').fill('Ada of the Kiln');
  await page.getByLabel('Bio').fill('Bowls, cups and the odd plate. https://example.org/kiln');
  await page.getByLabel('Private account').check();
  await page.getByRole('button', { name: 'Save profile' }).click();
  await page.getByText('Profile saved.').waitFor();
  await fitsSideways(page);
  await picture(page, 'settings');
  const { viewer } = await ask('{ viewer { user { displayName bio isPrivate } } }', {}, me.token);
  assert.deepEqual(viewer.user, { displayName: 'Ada of the Kiln', bio: 'Bowls, cups and the odd plate. https://example.org/kiln', isPrivate: true });
  await page.getByLabel('Name').fill('   ');
  await page.getByRole('button', { name: 'Save profile' }).click();
  await page.locator('input[name=displayName][aria-invalid=true]').waitFor();
  await goto(`/u/${me.handle}`);
  const link = page.getByRole('link', { name: 'example.org/kiln' });
  assert.equal(await link.getAttribute('href'), 'https://example.org/kiln');
  assert.match(await link.getAttribute('rel'), /nofollow.*ugc.*noopener/);
  await page.getByText('private').first().waitFor();
}));

test('a theme is chosen, and is there before anything is drawn', withPages({ colorScheme: 'light' }, async (open) => {
  const me = await newPerson();
  const { page, goto } = await open();
  await logIn({ page, goto }, me);
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await goto('/settings');
  await page.getByRole('button', { name: 'Dark' }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  await page.getByRole('button', { name: 'Dark', pressed: true }).waitFor();
  await page.getByRole('button', { name: 'As the system' }).click();
  assert.equal(await ground(), light);
}));

test('somebody is blocked from a post, listed, and let in again', withPages({}, async (open) => {
  const [me, other] = await Promise.all([newPerson('Mia Me'), newPerson('Otto Other')]);
  await me.follow(other.id);
  await other.post('Something unfriendly');
  const { page, goto } = await open();
  page.on('dialog', (dialog) => dialog.accept());
  await logIn({ page, goto }, me);
  const post = page.getByRole('article').filter({ hasText: 'Something unfriendly' });
  // By the keyboard: the menu opens, arrows move, Enter does it.
  await post.getByRole('button', { name: 'More' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByText(`@${other.handle} is blocked.`).waitFor();
  await post.waitFor({ state: 'detached' });
  await goto('/settings');
  await page.getByRole('link', { name: 'Blocked people' }).click();
  const list = page.getByRole('list', { name: 'Blocked people' });
  await list.getByRole('button', { name: 'Unblock' }).click();
  await page.getByText('You block nobody').waitFor();
  const { user } = await ask('query($handle: String!) { user(handle: $handle) { viewerIsBlocking } }', { handle: other.handle }, me.token);
  assert.equal(user.viewerIsBlocking, false);
}));

test('a private person is asked, that is remembered, and an answered request has no buttons', withPages({}, async (open) => {
  const [me, other] = await Promise.all([newPerson('Pia Private'), newPerson('Ask Asker')]);
  await ask('mutation { profileUpdate(input: { isPrivate: true }) { userErrors { message } } }', {}, me.token);
  const asking = await open();
  await logIn(asking, other);
  await asking.goto(`/u/${me.handle}`);
  await asking.page.getByRole('button', { name: 'Follow', exact: true }).click();
  await asking.page.getByRole('button', { name: 'Requested' }).waitFor();
  await asking.page.reload();
  await asking.page.getByRole('button', { name: 'Requested' }).waitFor();

  const answering = await open();
  await logIn(answering, me);
  await answering.page.getByRole('link', { name: 'Notifications' }).click();
  await answering.page.getByRole('button', { name: 'Accept' }).click();
  await answering.page.getByRole('button', { name: 'Accept' }).waitFor({ state: 'detached' });
  await answering.page.reload();
  await answering.page.getByText('asks to follow you').or(answering.page.getByText('follows you')).first().waitFor();
  await answering.page.getByText('Answered').waitFor();
  assert.equal(await answering.page.getByRole('button', { name: 'Accept' }).count(), 0);

  await answering.goto(`/u/${me.handle}`);
  await answering.page.getByRole('link', { name: '1 followers' }).click();
  await answering.page.getByRole('list', { name: 'Followers' }).getByText('Ask Asker').waitFor();
  await answering.page.getByRole('button', { name: 'Back' }).click();
  await answering.page.getByRole('region', { name: 'Profile' }).waitFor();
  await asking.page.reload();
  await asking.page.getByRole('button', { name: 'Following' }).waitFor();
}));
