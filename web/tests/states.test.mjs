import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import { closeBrowser, logIn, openBrowser, PHONE, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [/Failed to load resource|ERR_FAILED/];

test(
  'what is empty says so, and what is not there',
  withPages({ viewport: PHONE }, async (open) => {
    const me = await newPerson();
    const product = await (await newPerson()).offer('Something else than a post');
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    await page.getByText('It is quiet here').waitFor();
    for (const [path, text] of [
      ['/orders', 'You have ordered nothing yet'],
      ['/notifications', 'Nothing has happened yet'],
      [`/u/${me.handle}`, 'No posts yet'],
      ['/u/nobody_of_this_name_x', 'There is no @nobody_of_this_name_x'],
      // No ids, and ids of something else.
      ['/p/not-an-id', 'This post is not here'],
      [`/p/${product}`, 'This post is not here'],
      ['/shop/not-an-id', 'There is no such product'],
      [`/shop/${me.id}`, 'There is no such product'],
      ['/p/not-an-id/quote', 'This post is not here'],
    ]) {
      await goto(path);
      await page.getByText(text).waitFor();
    }
    // plaza serves the demo at the demo's paths alone; a path that is none can only be come to within it.
    await page.evaluate(() => {
      history.pushState(null, '', '/elsewhere');
      dispatchEvent(new PopStateEvent('popstate'));
    });
    await page.getByText('There is nothing here').waitFor();
  }),
);

test(
  'a deleted post is gone from where it was shown',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    await page.getByLabel('Your post').fill('Not for long');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    const post = page.getByRole('article').filter({ hasText: 'Not for long' });
    page.on('dialog', (dialog) => dialog.accept());
    await post.getByRole('link', { name: /Comments/ }).click();
    await page.getByText('No comments yet').waitFor();
    await post.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByText('It is quiet here').waitFor();
  }),
);

test(
  'a list that cannot be loaded can be tried again',
  withPages({ expected: BROKEN }, async (open) => {
    const { page, goto, context } = await open();
    await context.route('**/graphql', (route) => route.abort());
    await goto('/shop');
    // After its own three attempts the page asks the reader.
    await page.getByText('This could not be loaded').waitFor();
    await context.unroute('**/graphql');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page
      .locator('[aria-label=Products], .state')
      .filter({ hasNotText: 'could not' })
      .first()
      .waitFor();
  }),
);

test(
  'a lost answer: trying again writes one post',
  withPages({ expected: BROKEN }, async (open) => {
    const me = await newPerson();
    const { page, goto, context } = await open();
    await logIn({ page, goto }, me);
    const keys = [];
    let lost = 0;
    await context.route('**/graphql', async (route) => {
      const request = route.request();
      if (!request.postData()?.includes('WritePost')) return route.continue();
      keys.push(request.headers()['idempotency-key']);
      // plaza does it, but the answer is lost on its way: four times, then it comes through.
      if (lost < 4) {
        lost += 1;
        await route.fetch();
        return route.abort();
      }
      return route.continue();
    });
    await page.getByLabel('Your post').fill('Written once');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
    assert.equal(
      await page.getByLabel('Your post').inputValue(),
      'Written once',
      'what was written is kept',
    );
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByRole('article').filter({ hasText: 'Written once' }).waitFor();
    assert.equal(new Set(keys).size, 1, 'one action, one key');

    await goto(`/u/${me.handle}`);
    await page.getByRole('article').filter({ hasText: 'Written once' }).first().waitFor();
    assert.equal(await page.getByRole('article').count(), 1);
  }),
);

test(
  'a like that fails is taken back',
  withPages({ expected: BROKEN }, async (open) => {
    const me = await newPerson();
    await me.post('Like this');
    const { page, goto, context } = await open();
    await logIn({ page, goto }, me);
    await goto(`/u/${me.handle}`);
    let failing = true;
    await context.route('**/graphql', (route) =>
      failing && route.request().postData()?.includes('mutation Like')
        ? route.abort()
        : route.continue(),
    );
    await page.getByRole('button', { name: 'Like: 0' }).click();
    await page.getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();
    await page.getByRole('button', { name: 'Like: 0', pressed: false }).waitFor();
    await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
    failing = false;
    await page.getByRole('button', { name: 'Like: 0' }).click();
    await page.getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();
  }),
);

test(
  'a page opened while an action is under way does not wait for it',
  withPages({}, async (open) => {
    const [me, other] = await Promise.all([newPerson(), newPerson()]);
    await other.post('There before');
    const { page, goto, context } = await open();
    await logIn({ page, goto }, me);
    await goto(`/u/${other.handle}`);
    let answered;
    const homeIsThere = new Promise((resolve) => (answered = resolve));
    await context.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('mutation Follow')) await homeIsThere;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await page.getByRole('button', { name: 'Following' }).waitFor();
    await page.getByRole('link', { name: 'Home' }).click();
    await page.getByText('It is quiet here').waitFor();
    answered();
    // And when it is done, the feed has what it brings.
    await page.getByRole('article').filter({ hasText: 'There before' }).waitFor();
  }),
);

test(
  'a token that runs out is renewed without a word',
  withPages({}, async (open) => {
    const me = await newPerson();
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const before = await page.evaluate(() => {
      const stored = JSON.parse(localStorage.getItem('plaza.demo'));
      localStorage.setItem('plaza.demo', JSON.stringify({ ...stored, expiresAt: Date.now() - 1 }));
      return stored.refreshToken;
    });
    await goto('/sessions');
    await page.getByText('this one').waitFor();
    assert.notEqual(
      await page.evaluate(() => JSON.parse(localStorage.getItem('plaza.demo')).refreshToken),
      before,
    );
  }),
);
