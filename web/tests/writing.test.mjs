import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import { png } from './support/png.mjs';
import {
  closeBrowser,
  logIn,
  openBrowser,
  PHONE,
  untilLive,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];
const post = (page, text) => page.getByRole('article').filter({ hasText: text });

test(
  'what was written is there after another page, a reload and an ended session, each place its own',
  withPages({}, async (open) => {
    const [me, other] = await Promise.all([newPerson(), newPerson('Ada Author')]);
    const id = await other.post('Something to answer');
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    await page.getByLabel('Your post').fill('Half a thought\nand its second line');
    await page.getByRole('link', { name: 'Shop', exact: true }).click();
    await page.getByRole('heading', { name: 'Shop', exact: true }).waitFor();
    await page.goBack();
    assert.equal(
      await page.getByLabel('Your post').inputValue(),
      'Half a thought\nand its second line',
    );
    await goto(`/p/${id}`);
    assert.equal(await page.getByLabel('Your comment').inputValue(), '', 'another place');
    await page.getByLabel('Your comment').fill('Half an answer');
    await page.reload();
    assert.equal(await page.getByLabel('Your comment').inputValue(), 'Half an answer');
    await page.evaluate(() => {
      localStorage.removeItem('plaza.demo');
      dispatchEvent(new StorageEvent('storage', { key: null }));
    });
    await logIn({ page, goto }, me);
    assert.equal(
      await page.getByLabel('Your post').inputValue(),
      'Half a thought\nand its second line',
    );

    // Somebody else at the same tab does not find it.
    await page.evaluate(() => {
      localStorage.removeItem('plaza.demo');
      dispatchEvent(new StorageEvent('storage', { key: null }));
    });
    await logIn({ page, goto }, other);
    assert.equal(await page.getByLabel('Your post').inputValue(), '');
  }),
);

test(
  'pictures stay with what was written, after another page and a reload, and go with the post',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const rows = page.getByRole('list', { name: 'Images of this post' }).getByRole('listitem');
    await page.getByLabel('Your post').fill('Two pictures');
    await page.locator('.composer-post input[type=file]').setInputFiles([
      { name: 'slope.png', mimeType: 'image/png', buffer: png(640, 480) },
      { name: 'dune.png', mimeType: 'image/png', buffer: png(480, 640) },
    ]);
    await page.getByLabel('Describe slope.png').fill('A green slope');
    // At once: what is still on its way goes on.
    await page.getByRole('link', { name: 'Shop', exact: true }).click();
    await page.getByRole('heading', { name: 'Shop', exact: true }).waitFor();
    await page.goBack();
    const ready = () =>
      page.waitForFunction(
        () =>
          [...document.querySelectorAll('.attachment [role=status]')].filter(
            ({ textContent }) => textContent === 'Ready',
          ).length === 2,
      );
    await ready();
    await page.reload();
    await ready();
    assert.equal(await page.getByLabel('Describe slope.png').inputValue(), 'A green slope');
    // They are seen, though the files are not here any more.
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.attachment img')].every(({ naturalWidth }) => naturalWidth),
    );
    await page.getByRole('button', { name: 'Remove dune.png' }).click();
    await page.reload();
    await rows.first().waitFor();
    assert.equal(await rows.count(), 1);
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await post(page, 'Two pictures').getByAltText('A green slope').waitFor();
    await rows.first().waitFor({ state: 'detached' });
    await page.reload();
    await post(page, 'Two pictures').getByAltText('A green slope').waitFor();
    assert.equal(await rows.count(), 0);
  }),
);

test(
  'what is typed while a post is on its way stays',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto, context } = await open();
    await logIn({ page, goto }, me);
    let send;
    const sent = new Promise((resolve) => (send = resolve));
    await context.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('WritePost')) await sent;
      await route.continue();
    });
    const field = page.getByLabel('Your post');
    await field.fill('The first part');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByRole('button', { name: 'Sending…' }).waitFor();
    await field.press('End');
    await field.pressSequentially(' and a second thought');
    send();
    await post(page, 'The first part').waitFor();
    await page.waitForFunction(
      () => document.querySelector('textarea').value === 'and a second thought',
    );
    await page.getByLabel('Messages').getByRole('button', { name: 'View' }).click();
    await page.getByText('No comments yet').waitFor();
  }),
);

test(
  'without a network the page says so at once, keeps what is there, and comes back by itself',
  withPages({ viewport: PHONE, expected: BROKEN }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post('There before');
    const { page, goto, context } = await open();
    await logIn({ page, goto }, reader);
    await untilLive(page);
    await post(page, 'There before').waitFor();
    await context.setOffline(true);
    await page
      .getByRole('status')
      .filter({ hasText: /^Offline$/ })
      .waitFor();
    await page.getByText('You are offline').waitFor();
    await author.post('Written meanwhile');

    // What is done now fails where it is seen, and is offered again.
    await post(page, 'There before').getByRole('button', { name: 'Like: 0' }).click();
    const failure = page.getByRole('alert').filter({ hasText: 'cannot be reached' });
    await failure.waitFor();
    await context.setOffline(false);
    await untilLive(page);
    await page.getByText('You are offline').waitFor({ state: 'detached' });
    await failure.getByRole('button', { name: 'Try again' }).click();
    await post(page, 'There before')
      .getByRole('button', { name: 'Like: 1', pressed: true })
      .waitFor();
    await page.getByRole('button', { name: '1 new post' }).click();
    await post(page, 'Written meanwhile').waitFor();
  }),
);
