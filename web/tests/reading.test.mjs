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
import { png } from './support/png.mjs';

before(openBrowser);
after(closeBrowser);

const post = (page, text) => page.getByRole('article').filter({ hasText: text });

test(
  'a post opens by its body, a person by their picture; the thread leads back',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post('Open me anywhere');
    const { page, goto } = await open();
    await logIn({ page, goto }, reader);
    // Who wrote it is its heading: screen readers go from one to the next.
    await post(page, 'Open me anywhere')
      .getByRole('heading', { name: 'Ada Author', level: 2 })
      .waitFor();
    await post(page, 'Open me anywhere').locator('.prose').click();
    await page.getByText('No comments yet').waitFor();
    assert.match(await page.title(), /^Ada Author: Open me anywhere/);
    // The whole date, not only how long ago.
    await page.locator('.post-date time').getByText(String(new Date().getFullYear())).waitFor();
    await page.getByRole('button', { name: 'Back' }).click();
    await page.getByLabel('Your post').waitFor();
    await post(page, 'Open me anywhere').locator('.avatar').click();
    await page.getByRole('region', { name: 'Profile' }).waitFor();
    // What is big enough for a thumb.
    const { height } = await post(page, 'Open me anywhere').locator('.post-time').boundingBox();
    assert.ok(height >= 24, `${height} px`);
  }),
);

test(
  'a long text is shown whole on asking, and empty lines take no room',
  withPages({ viewport: PHONE }, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    await author.post(`Above${'\n'.repeat(60)}below`);
    await author.post(Array.from({ length: 40 }, (_, index) => `Line ${index + 1}`).join('\n'));
    const { page, goto } = await open();
    await logIn({ page, goto }, reader);
    const gap = await post(page, 'Above').locator('.prose').boundingBox();
    assert.ok(gap.height < 100, `${gap.height} px`);
    const long = post(page, 'Line 40');
    const before = await long.boundingBox();
    assert.ok(before.height < 450, `${before.height} px`);
    await long.getByRole('button', { name: 'Show more' }).click();
    assert.ok((await long.boundingBox()).height > before.height + 200);
    await fitsSideways(page);
  }),
);

test(
  'keys go from post to post, open, write, search and go places',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    for (const text of ['The third', 'The second', 'The first']) await author.post(text);
    const { page, goto } = await open();
    await logIn({ page, goto }, reader);
    await post(page, 'The third').waitFor();
    await page.getByRole('link', { name: 'Home' }).focus();
    const focused = () =>
      page.evaluate(() => document.activeElement.querySelector('.prose')?.textContent);
    await page.keyboard.press('j');
    assert.equal(await focused(), 'The first');
    await page.keyboard.press('j');
    assert.equal(await focused(), 'The second');
    await page.keyboard.press('k');
    assert.equal(await focused(), 'The first');
    await page.keyboard.press('l');
    await post(page, 'The first').getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('n');
    await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
    await page.keyboard.type('jj?');
    assert.equal(
      await page.getByLabel('Your post').inputValue(),
      'jj?',
      'while writing they are letters',
    );
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Notifications' }).waitFor();
    await page.keyboard.press('/');
    await page.getByRole('heading', { name: 'Search' }).waitFor();
  }),
);

test(
  'what is unread is in the title and on the icon',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const { page, goto } = await open();
    await logIn({ page, goto }, author);
    await untilLive(page);
    const icon = () => page.getAttribute('link[rel=icon][type="image/svg+xml"]', 'href');
    const before = await icon();
    await reader.follow(author.id);
    await page.waitForFunction(() => document.title.startsWith('(1) '));
    assert.notEqual(await icon(), before);
    await page.getByRole('link', { name: 'Notifications' }).click();
    await page.waitForFunction(() => !document.title.startsWith('('));
  }),
);

test(
  'a picture is pasted, another dropped, and seen as large as the window with its description',
  withPages({}, async (open) => {
    const author = await newPerson('Ada Author');
    const { page, goto } = await open();
    await logIn({ page, goto }, author);
    const give = (kind, name, bytes) =>
      page.getByLabel('Your post').evaluate(
        (field, [kind, name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(bytes)], name, { type: 'image/png' }));
          const event =
            kind === 'paste'
              ? new ClipboardEvent('paste', {
                  clipboardData: data,
                  bubbles: true,
                  cancelable: true,
                })
              : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
          field.dispatchEvent(event);
        },
        [kind, name, [...bytes]],
      );
    await give('paste', 'pasted.png', png(640, 480));
    await page.getByLabel('Describe pasted.png').fill('A green slope');
    await give('drop', 'dropped.png', png(480, 640));
    await page.getByLabel('Describe dropped.png').waitFor();
    await page.waitForFunction(
      () =>
        document.querySelectorAll('.attachment').length === 2 &&
        [...document.querySelectorAll('.attachment')].every((each) =>
          each.textContent.includes('Ready'),
        ),
    );
    await page.getByLabel('Your post').fill('Two pictures');
    // That one has no description is said, beside it and at the button, and keeps nobody from posting.
    await page.locator('.attachment').nth(1).getByText('Ready, without a description').waitFor();
    await page.locator('.attachment').nth(0).getByText('Ready', { exact: true }).waitFor();
    await page.getByText('1 image has no description').waitFor();
    const note = await page
      .getByRole('button', { name: 'Post', exact: true })
      .getAttribute('aria-describedby');
    assert.match(await page.locator(`[id="${note}"]`).textContent(), /no description/);
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await post(page, 'Two pictures').getByAltText('A green slope').click();
    const viewer = page.getByRole('dialog', { name: 'Image 1 of 2' });
    await viewer.getByText('A green slope').waitFor();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('dialog', { name: 'Image 2 of 2' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    // A picture without a description has a name all the same.
    await post(page, 'Two pictures').getByRole('link', { name: 'Image 2 of 2' }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
  }),
);

test(
  'handles and hashtags are completed',
  withPages({}, async (open) => {
    const [author, friend] = await Promise.all([
      newPerson('Ada Author'),
      newPerson('Zebulon Friend'),
    ]);
    await author.post(`Seen before #Zebrawood${author.handle.slice(-4)}`);
    const { page, goto } = await open();
    await logIn({ page, goto }, author);
    await goto(`/u/${author.handle}`);
    await post(page, 'Seen before').waitFor();
    await page.getByRole('link', { name: 'Home' }).click();
    const field = page.getByLabel('Your post');
    await field.pressSequentially(`Hello @${friend.handle.slice(0, 9)}`);
    await page.getByRole('listbox', { name: 'People' }).getByText(`@${friend.handle}`).waitFor();
    await page.keyboard.press('Enter');
    assert.equal(await field.inputValue(), `Hello @${friend.handle} `);
    await field.pressSequentially('and #zebra');
    await page.getByRole('listbox', { name: 'Hashtags' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(
      await field.inputValue(),
      `Hello @${friend.handle} and #Zebrawood${author.handle.slice(-4)} `,
    );
    await field.pressSequentially('@zeb');
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('listbox').count(), 0);
  }),
);

test(
  'a hashtag of somebody else is completed on a page that has shown none',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const tag = `Quince${author.handle.slice(-6)}`;
    await author.post(`Made today: #${tag}`);
    const { page, goto } = await open();
    await logIn({ page, goto }, reader);
    await page.getByText('It is quiet here').waitFor();
    const field = page.getByLabel('Your post');
    await field.pressSequentially('#quince');
    await page.getByRole('listbox', { name: 'Hashtags' }).getByText(`#${tag}`).click();
    assert.equal(await field.inputValue(), `#${tag} `);
  }),
);
