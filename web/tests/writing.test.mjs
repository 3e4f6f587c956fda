import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import { png } from './support/png.mjs';
import {
  closeBrowser,
  logIn,
  openBrowser,
  PHONE,
  sent,
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
          [...document.querySelectorAll('.attachment [role=status]')].filter(({ textContent }) =>
            textContent.startsWith('Ready'),
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
  'a post is shown at once, as one that is not sent, and is real with the answer, or gone',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto, context } = await open();
    await logIn({ page, goto }, me);
    let send;
    const held = new Promise((resolve) => (send = resolve));
    let refused = false;
    await context.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('WritePost')) return route.continue();
      if (refused) {
        const error = { code: 'INVALID', message: 'must be kinder', path: ['input', 'text'] };
        const userErrors = [{ __typename: 'UserError', ...error }];
        const postCreate = { __typename: 'PostCreatePayload', post: null, userErrors };
        return route.fulfill({ json: { data: { postCreate } } });
      }
      await held;
      return route.continue();
    });
    const shown = post(page, 'Shown at once');
    const unsent = page.locator('.row-unsent');
    await page.getByLabel('Your post').fill('Shown at once');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await shown.getByText('Sending…').waitFor();
    assert.equal(await unsent.count(), 1);
    // Nothing can be done with it, by the keyboard either; and it is on one's own page, too.
    assert.ok(await shown.locator('.post-foot').evaluate((foot) => foot.inert));
    assert.equal(await shown.getByRole('button', { name: 'More' }).count(), 0);
    await page.getByRole('link', { name: 'Profile' }).click();
    await page.getByRole('region', { name: 'Profile' }).waitFor();
    await shown.getByText('Sending…').waitFor();
    await page.goBack();
    await shown.getByText('Sending…').waitFor();
    send();
    await sent(page, 'Shown at once').waitFor();
    await shown.getByRole('button', { name: 'Like: 0' }).click();
    await shown.getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();
    assert.equal(await unsent.count(), 0);

    refused = true;
    await page.waitForFunction(() => document.querySelector('textarea').value === '');
    await page.getByLabel('Your post').fill('Not taken');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByText('The text must be kinder.').waitFor();
    assert.equal(await post(page, 'Not taken').count(), 0);
    assert.equal(await page.getByLabel('Your post').inputValue(), 'Not taken', 'it is kept');
  }),
);

test(
  'a profile that is edited and not saved is there after another page and a reload, until it is saved',
  withPages({ viewport: PHONE }, async (open) => {
    const me = await newPerson('Ada Author');
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    await goto('/settings');
    const [name, bio] = [page.getByLabel('Name'), page.getByLabel('Bio')];
    await name.fill('Ada of the Kiln');
    await bio.fill('Half a sentence');
    await page.getByText('Not saved yet.').waitFor();
    await page.getByRole('link', { name: 'Blocked people' }).click();
    await page.getByText('You block nobody').waitFor();
    await page.goBack();
    assert.equal(await name.inputValue(), 'Ada of the Kiln');
    await page.reload();
    assert.equal(await name.inputValue(), 'Ada of the Kiln');
    assert.equal(await bio.inputValue(), 'Half a sentence');
    await page.getByRole('button', { name: 'Save profile' }).click();
    await page.getByText('Profile saved.').waitFor();
    await page.getByText('Not saved yet.').waitFor({ state: 'detached' });

    // What is emptied is edited, too; and all of it can be taken back.
    await bio.fill('');
    await page.reload();
    assert.equal(await bio.inputValue(), '');
    await page.getByRole('button', { name: 'Discard changes' }).click();
    assert.equal(await bio.inputValue(), 'Half a sentence');
    assert.equal(await page.getByRole('button', { name: 'Discard changes' }).count(), 0);
  }),
);

test(
  'what is typed at one entrance is there at the other and after a reload, but for the password',
  withPages({ viewport: PHONE }, async (open) => {
    const me = await newPerson('Ada Author');
    const { page, goto } = await open();
    await goto('/signup');
    await page.getByLabel('Name').fill('Ada Author');
    await page.getByLabel('Handle').fill(me.handle);
    await page.getByLabel('E-mail').fill('ada@example.org');
    await page.getByLabel('Password').fill('not to be kept');
    await page.getByRole('main').getByRole('link', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    assert.equal(await page.getByLabel('Handle').inputValue(), me.handle);
    assert.equal(await page.getByLabel('Password').inputValue(), '');
    await page.reload();
    await page.getByRole('main').getByRole('link', { name: 'Sign up' }).click();
    assert.equal(await page.getByLabel('Name').inputValue(), 'Ada Author');
    assert.equal(await page.getByLabel('E-mail').inputValue(), 'ada@example.org');
    assert.equal(await page.getByLabel('Password').inputValue(), '');
    const kept = () => page.evaluate(() => JSON.stringify({ ...sessionStorage }));
    assert.match(await kept(), /ada@example/);
    assert.doesNotMatch(await kept(), /not to be kept/);

    // Who got in leaves nothing behind for who comes next.
    await page.goBack();
    await page.getByLabel('Password').fill(me.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('Your post').waitFor();
    assert.doesNotMatch(await kept(), /ada@example/);
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

test(
  'an emoji is put where the caret is, by mouse and by keys',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const field = page.getByLabel('Your post');
    const button = page.getByRole('button', { name: 'Emoji' });
    const picker = page.getByRole('dialog', { name: 'Emoji' });
    await field.fill('Hello ! ');
    await field.evaluate((it) => it.setSelectionRange(6, 6));
    await button.click();
    await picker.getByRole('button', { name: '😄' }).click();
    await picker.waitFor({ state: 'detached' });
    assert.equal(await field.inputValue(), 'Hello 😄! ');
    await field.press('End');
    await button.press('Enter');
    await picker.waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await picker.waitFor({ state: 'detached' });
    assert.equal(await field.inputValue(), 'Hello 😄! 🥰');
    await button.press('Enter');
    await picker.waitFor();
    await page.keyboard.press('Escape');
    await picker.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.ariaLabel === 'Emoji');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await sent(page, 'Hello 😄! 🥰').waitFor();
    // A phone's keyboard has them.
    await page.setViewportSize(PHONE);
    await button.waitFor({ state: 'hidden' });
  }),
);
