import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson } from './support/api.mjs';
import {
  closeBrowser,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  withPages,
} from './support/browser.mjs';
import { png } from './support/png.mjs';

before(openBrowser);
after(closeBrowser);

const post = (page, text) => page.getByRole('article').filter({ hasText: text });
const file = (name, buffer) => ({ name, mimeType: 'image/png', buffer });

/** Until a picture is there, not only its place. */
async function isShown(image) {
  await image.waitFor();
  await image.evaluate((each) => each.decode());
  return image.evaluate(({ naturalWidth, width, height }) => ({ naturalWidth, width, height }));
}

test(
  'images are attached, described, posted and seen; what is none is refused',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    const writing = await open();
    await logIn(writing, author);
    const { page } = writing;
    const input = page.getByLabel('Images', { exact: true });
    await input.setInputFiles([
      file('dunes.png', png(1_600, 900)),
      file('page.png', Buffer.from('<!doctype html><script>alert(1)</script>')),
    ]);
    const attached = page.getByRole('list', { name: 'Images of this post' });
    await attached.getByText('Ready').waitFor();
    await attached.getByText('This is no JPEG, PNG, WebP or GIF.').waitFor();
    await page.getByLabel('Your post').fill('Look at these dunes');
    const send = page.getByRole('button', { name: 'Post', exact: true });
    assert.ok(await send.isDisabled(), 'not with an image that cannot be shown');
    await page.getByRole('button', { name: 'Remove page.png' }).click();
    await page.getByLabel('Describe dunes.png').fill('Green dunes that turn to gold');
    await send.click();
    await page.getByText('Posted.').waitFor();
    await post(page, 'Look at these dunes').waitFor();
    assert.equal(await attached.count(), 0);

    const reading = await open({ viewport: PHONE });
    await logIn(reading, reader);
    await reading.goto(`/u/${author.handle}`);
    const shown = await isShown(
      post(reading.page, 'Look at these dunes').getByAltText('Green dunes that turn to gold'),
    );
    assert.ok(shown.naturalWidth > 0);
    assert.ok(Math.abs(shown.width / shown.height - 16 / 9) < 0.02, JSON.stringify(shown));
    await fitsSideways(reading.page);
  }),
);

test(
  'a place is kept for a picture before it is there, and an address that has ended is asked for anew',
  withPages({ expected: [/Failed to load resource/] }, async (open) => {
    const author = await newPerson('Ada Author');
    const writing = await open();
    await logIn(writing, author);
    await writing.page
      .getByLabel('Images', { exact: true })
      .setInputFiles(file('tall.png', png(300, 400)));
    await writing.page
      .getByRole('list', { name: 'Images of this post' })
      .getByText('Ready')
      .waitFor();
    await writing.page.getByLabel('Your post').fill('Tall');
    await writing.page.getByRole('button', { name: 'Post', exact: true }).click();
    await writing.page.getByText('Posted.').waitFor();

    const reading = await open();
    let ended = true;
    let answer;
    const asked = new Promise((resolve) => (answer = resolve));
    await reading.context.route('**/media/images/**', async (route) => {
      if (!ended) return route.continue();
      await asked;
      return route.fulfill({ status: 403, body: 'ended' });
    });
    const again = reading.page.waitForRequest(
      (request) => request.postData()?.includes('ImagesAgain') ?? false,
    );
    await reading.goto(`/u/${author.handle}`);
    const image = post(reading.page, 'Tall').locator('.pictures img');
    const place = post(reading.page, 'Tall').locator('.pictures li');
    await place.waitFor();
    const { height } = await place.boundingBox();
    assert.ok(height > 100, `${height} px are kept`);
    answer();
    await again;
    ended = false;
    await reading.page.reload();
    await isShown(image);
  }),
);

test(
  'a person has a picture, another, and none',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await author.post('Here I am');
    const own = await open();
    await logIn(own, author);
    await own.goto(`/u/${author.handle}`);
    const profile = own.page.getByRole('region', { name: 'Profile' });
    await own.page.getByLabel('Your picture').setInputFiles(file('me.png', png(640, 480)));
    const crop = own.page.getByRole('dialog', { name: 'Choose what is seen' });
    // None of it after all.
    await crop.getByRole('button', { name: 'Cancel' }).click();
    await crop.waitFor({ state: 'detached' });
    assert.equal(await profile.locator('.avatar img').count(), 0);
    await own.page.getByLabel('Your picture').setInputFiles(file('me.png', png(640, 480)));
    await crop.getByLabel('Zoom').fill('2');
    const seen = crop.getByRole('group', { name: 'Part that is seen' });
    await seen.focus();
    const moved = () => crop.locator('.crop img').evaluate((each) => each.style.transform);
    const before = await moved();
    await own.page.keyboard.press('ArrowRight');
    assert.notEqual(await moved(), before, 'arrows move it');
    await crop.getByRole('button', { name: 'Use this picture' }).click();
    await isShown(profile.locator('.avatar img'));
    const { viewer } = await ask(
      '{ viewer { user { avatar { width height } } } }',
      {},
      author.token,
    );
    // A half of what is seen without a zoom.
    assert.deepEqual(viewer.user.avatar, { width: 240, height: 240 });
    const first = await profile.locator('.avatar img').getAttribute('src');

    const reading = await open();
    await logIn(reading, reader);
    await reading.goto(`/u/${author.handle}`);
    const beside = post(reading.page, 'Here I am').locator('.avatar img');
    const { width, height, naturalWidth } = await isShown(beside);
    assert.deepEqual([width, height, naturalWidth], [42, 42, 128]);

    await own.page
      .getByLabel('Your picture')
      .setInputFiles(file('me.png', png(300, 300, [138, 75, 42], [61, 90, 128])));
    await crop.getByRole('button', { name: 'Use this picture' }).click();
    await own.page.waitForFunction(
      (first) => document.querySelector('.profile .avatar img')?.getAttribute('src') !== first,
      first,
    );
    await isShown(profile.locator('.avatar img'));
    await profile.getByRole('button', { name: 'Remove picture' }).click();
    await profile.getByText('AA', { exact: true }).waitFor();
  }),
);
