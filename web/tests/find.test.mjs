import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson, unique } from './support/api.mjs';
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

test(
  'people, posts and products are found as they are typed for',
  withPages({}, async (open) => {
    const person = await newPerson('Quilla Quince');
    const word = unique('quince');
    await person.post(`A jar of ${word} jam`);
    await person.offer(`Tree of ${word}`);
    const { page, goto } = await open();
    await goto('/search');
    await page.getByText('What are you looking for?').waitFor();
    await page.getByLabel('Search plaza').fill(word);
    await page
      .getByRole('list', { name: 'Posts found' })
      .getByText(`A jar of ${word} jam`)
      .waitFor();
    await page.getByRole('button', { name: 'Products', exact: true }).click();
    await page.getByRole('list', { name: 'Products found' }).getByText(`Tree of ${word}`).waitFor();
    await page.getByRole('button', { name: 'People', exact: true }).click();
    await page.getByText(`No people for “${word}”`).waitFor();
    await page.getByLabel('Search plaza').fill(`@${person.handle}`);
    await page.getByRole('list', { name: 'People found' }).getByText(`@${person.handle}`).waitFor();

    // By keyboard alone: down to the first, and open it.
    await page.getByLabel('Search plaza').press('ArrowDown');
    await page.keyboard.press('Enter');
    await page
      .getByRole('article')
      .filter({ hasText: `A jar of ${word} jam` })
      .waitFor();
    await page.goBack();
    assert.equal(
      await page.getByLabel('Search plaza').inputValue(),
      `@${person.handle}`,
      'what was looked for is in the address',
    );
    await page.getByLabel('Search plaza').press('Escape');
    await page.getByText('What are you looking for?').waitFor();
  }),
);

test(
  'who does not know what to look for finds what the newest posts are about',
  withPages({}, async (open) => {
    const author = await newPerson('Quilla Quince');
    const tag = `Quince${author.handle.slice(-6)}`;
    for (const text of ['first', 'second', 'third']) await author.post(`The ${text} jar #${tag}`);
    const { page, goto } = await open();
    await goto('/search');
    const tags = page.getByRole('region', { name: 'Hashtags of the newest posts' });
    await tags.getByRole('link', { name: `#${tag}`, exact: true }).click();
    await page.getByRole('heading', { name: `#${tag}`, level: 2 }).waitFor();
    await page.getByRole('article').filter({ hasText: 'The third jar' }).waitFor();
    await page.goBack();
    await page.getByLabel('Search plaza').fill('jar');
    await tags.waitFor({ state: 'detached' });
  }),
);

test(
  'the shop leads to what somebody looks for in it',
  withPages({ viewport: PHONE }, async (open) => {
    const word = unique('quince');
    await (await newPerson()).offer(`Bowl of ${word}`);
    const { page, goto } = await open();
    await goto('/shop');
    await fitsSideways(page);
    await page.getByRole('search').getByLabel('Search the shop').fill(word);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/search?q=${word}&in=products`);
    await page.getByRole('button', { name: 'Products', exact: true, pressed: true }).waitFor();
    await page
      .getByRole('list', { name: 'Products found' })
      .getByRole('link', { name: `Bowl of ${word}` })
      .waitFor();
  }),
);

test(
  'a search that fails can be tried again',
  withPages({ viewport: PHONE, expected: [/502/] }, async (open) => {
    const { page, goto, context } = await open();
    let away = true;
    await context.route('**/graphql', (route) =>
      away && route.request().postData()?.includes('PostsSearch')
        ? route.fulfill({ status: 502, body: '' })
        : route.continue(),
    );
    await goto('/search?q=nothing-like-it');
    await page.getByText('This could not be loaded').waitFor();
    away = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('No posts for “nothing-like-it”').waitFor();
    await fitsSideways(page);
  }),
);

test(
  'notifications are counted, told together, read, and chosen',
  withPages({}, async (open) => {
    const [author, ...fans] = await Promise.all([
      newPerson('Ada Author'),
      newPerson('Fay First'),
      newPerson('Fred Second'),
      newPerson('Fia Third'),
      newPerson('Finn Fourth'),
    ]);
    const liked = await author.post('Like this');
    const { page, ...rest } = await open();
    await logIn({ page, ...rest }, author);
    await untilLive(page);
    for (const fan of fans) await fan.like(liked);
    await page.getByLabel('4 new').waitFor();
    await page.getByRole('link', { name: 'Notifications' }).click();
    const list = page.getByRole('list', { name: 'Notifications' });
    await list.getByText('and 1 other like your post').waitFor();
    assert.equal(await list.getByRole('listitem').count(), 1);
    await page.getByLabel(/\d new/).waitFor({ state: 'detached' });

    await page.getByRole('link', { name: 'Preferences' }).click();
    const likes = page.getByRole('group', { name: 'Likes' });
    await likes.getByRole('button', { name: 'Off' }).click();
    await likes.getByRole('button', { name: 'Off', pressed: true }).waitFor();
    await page.getByRole('link', { name: 'Grouped' }).click();
    await page.getByText('Nothing has happened yet').waitFor();
    await fans[0].comment(liked, 'Well said');
    await list.getByText('commented on your post').waitFor();
    assert.equal(await list.getByRole('listitem').count(), 1, 'likes are off');
  }),
);
