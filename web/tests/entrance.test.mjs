import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson, PASSWORD, unique } from './support/api.mjs';
import {
  closeBrowser,
  DESKTOP,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  untilLive,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
  test(
    `sign up, log out, log in (${size})`,
    withPages({ viewport }, async (open) => {
      const { page, goto } = await open();
      const handle = unique('new');
      await goto('/');
      // Who is not logged in is told what this is, and sees something of it.
      await page.getByRole('heading', { name: /Talk about it/ }).waitFor();
      await fitsSideways(page);
      await page.getByRole('main').getByRole('link', { name: 'Sign up' }).click();
      await page.getByLabel('Name').fill('New Person');
      await page.getByLabel('Handle').fill(handle.toUpperCase());
      await page.getByLabel('E-mail').fill(`${handle}@example.org`);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign up' }).click();
      await page.getByText('It is quiet here').waitFor();
      await fitsSideways(page);

      await page.getByRole('link', { name: 'Profile' }).click();
      await page.getByText(`@${handle}`).first().waitFor();
      await page.getByRole('main').getByRole('link', { name: 'Settings' }).click();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('main').getByRole('link', { name: 'Log in' }).click();
      await logIn({ page, goto }, { handle, password: PASSWORD });
    }),
  );
}

test(
  'a guest reads what is said just now, and opens it',
  withPages({ viewport: PHONE }, async (open) => {
    const { page, goto } = await open();
    const writer = await newPerson('Walt Writer');
    const text = `Said to everybody ${unique('x')}`;
    await writer.post(text);
    await goto('/');
    const post = page.getByRole('region', { name: 'Just said' }).getByText(text);
    await post.waitFor();
    await fitsSideways(page);
    await post.click();
    await page.waitForURL(/\/p\//);
    await page.getByText(text).first().waitFor();
  }),
);

test(
  'what was refused is said at its field',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    const somebody = await newPerson();
    await goto('/signup');
    await page.getByLabel('Name').fill('Another');
    await page.getByLabel('Handle').fill(somebody.handle);
    await page.getByLabel('E-mail').fill(`${unique('x')}@example.org`);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.locator('input[name=handle][aria-invalid=true]').waitFor();
    assert.equal(
      await page.getByLabel('Handle').inputValue(),
      somebody.handle,
      'what was filled in stays',
    );

    await goto('/login');
    await page.getByLabel('Handle').fill(somebody.handle);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  }),
);

test(
  'a password can be looked at, in both forms, and is hidden until then',
  withPages({ viewport: PHONE }, async (open) => {
    const { page, goto } = await open();
    for (const path of ['/login', '/signup']) {
      await goto(path);
      const field = page.getByLabel('Password');
      const eye = page.getByRole('button', { name: 'Show password' });
      await field.fill('hunter two');
      assert.equal(await field.getAttribute('type'), 'password');
      await eye.click();
      assert.equal(await field.getAttribute('type'), 'text');
      assert.equal(await field.inputValue(), 'hunter two', 'what was typed stays');
      assert.equal(await eye.getAttribute('aria-pressed'), 'true');
      const { width, height } = await eye.boundingBox();
      assert.ok(width >= 24 && height >= 24, `${width} by ${height}`);
      await eye.click();
      assert.equal(await field.getAttribute('type'), 'password');
      await fitsSideways(page);
    }
  }),
);

test(
  'a page that needs somebody comes after the log-in',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    const me = await newPerson();
    await goto('/orders');
    await page.waitForURL('**/login?to=%2Forders');
    await page.getByLabel('Handle').fill(me.handle);
    await page.getByLabel('Password').fill(me.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('You have ordered nothing yet').waitFor();
    assert.equal(new URL(page.url()).pathname, '/orders');
  }),
);

test(
  'log in and post with the keyboard alone',
  withPages({}, async (open) => {
    const { page, goto } = await open();
    const me = await newPerson();
    await goto('/login');
    await page.locator('input[name=handle]:focus').waitFor();
    await page.keyboard.type(me.handle);
    await page.keyboard.press('Tab');
    await page.keyboard.type(me.password);
    await page.keyboard.press('Enter');
    await page.getByLabel('Your post').waitFor();

    // The skip link is the first thing, and leads past the ways to the page.
    await page.reload();
    await page.getByLabel('Your post').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(
      await page.evaluate(() => document.activeElement?.textContent?.trim()),
      'Skip to content',
    );
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA');
    await page.keyboard.type('Written without a mouse');
    // Images and emoji may be added first, then the post is sent.
    for (const name of ['Add images', 'Emoji', 'Post']) {
      await page.keyboard.press('Tab');
      const [label, ring] = await page.evaluate(() => {
        const focused = document.activeElement;
        return [
          focused.getAttribute('aria-label') ?? focused.textContent.trim(),
          getComputedStyle(focused).outlineStyle,
        ];
      });
      assert.deepEqual([label, ring], [name, 'solid'], 'what has the focus shows it');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('article').filter({ hasText: 'Written without a mouse' }).waitFor();
  }),
);

test(
  'sessions are listed, and end everywhere when they are ended',
  withPages({}, async (open) => {
    const me = await newPerson();
    const here = await open();
    const there = await open();
    await logIn(here, me);
    await logIn(there, me);
    await untilLive(there.page);
    await here.page.getByRole('link', { name: 'Settings' }).click();
    await here.page.getByRole('link', { name: 'Sessions' }).click();
    const rows = here.page.getByRole('list', { name: 'Sessions' }).getByRole('listitem');
    // The sign-up through the API, and two log-ins.
    await here.page.waitForFunction(
      () => document.querySelectorAll('[aria-label=Sessions] > li').length === 3,
    );
    assert.equal(await rows.filter({ hasText: 'this one' }).count(), 1);

    await rows
      .filter({ hasText: 'Chrome' })
      .filter({ hasNotText: 'this one' })
      .getByRole('button', { name: 'End' })
      .click();
    await here.page.waitForFunction(
      () => document.querySelectorAll('[aria-label=Sessions] > li').length === 2,
    );
    // The other browser hears of it by its socket, and asks to log in.
    await there.page.waitForURL('**/login');
    await there.page.getByText('Your session has ended').waitFor();
    const { viewer } = await ask('{ viewer { sessions { id } } }', {}, me.token);
    assert.equal(viewer.sessions.length, 2);
  }),
);

test(
  'who likes, follows or wants to buy as a guest is back there after the log-in or the sign-up',
  withPages({}, async (open) => {
    const [author, me, other] = await Promise.all([
      newPerson('Ada Author'),
      newPerson(),
      newPerson(),
    ]);
    const product = await author.offer(`A bowl ${unique('no')}`);
    const post = await author.post('Liked by a guest');
    const enter = async (page, person) => {
      await page.getByLabel('Handle').fill(person.handle);
      await page.getByLabel('Password').fill(person.password);
      await page.getByRole('button', { name: 'Log in' }).click();
    };
    const liking = await open();
    await liking.goto(`/p/${post}`);
    await liking.page.getByRole('button', { name: 'Like: 0' }).click();
    await enter(liking.page, me);
    await liking.page.waitForURL(`**/p/${post}`);
    await liking.page.getByRole('button', { name: 'Like: 0' }).click();
    await liking.page.getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();

    const buying = await open();
    await buying.goto(`/shop/${product}`);
    await buying.page.getByRole('link', { name: 'Log in to buy' }).click();
    await enter(buying.page, other);
    await buying.page.getByRole('button', { name: /^Order 1 for/ }).waitFor();

    // Who is new here is led back, too.
    const following = await open();
    await following.goto(`/u/${author.handle}`);
    await following.page.getByRole('button', { name: 'Follow', exact: true }).click();
    await following.page.getByRole('main').getByRole('link', { name: 'Sign up' }).click();
    const handle = unique('new');
    await following.page.getByLabel('Name').fill('New Person');
    await following.page.getByLabel('Handle').fill(handle);
    await following.page.getByLabel('E-mail').fill(`${handle}@example.org`);
    await following.page.getByLabel('Password').fill(PASSWORD);
    await following.page.getByRole('button', { name: 'Sign up' }).click();
    await following.page.waitForURL(`**/u/${author.handle}`);
    await following.page.getByRole('button', { name: 'Follow', exact: true }).click();
    await following.page.getByRole('button', { name: 'Following' }).waitFor();
  }),
);

test(
  'all other sessions end at once; the page says when each was used, and leads back',
  withPages({}, async (open) => {
    const me = await newPerson();
    const [here, there] = [await open(), await open()];
    await logIn(there, me);
    await untilLive(there.page);
    await logIn(here, me);
    // Used some time ago, and not just now.
    await here.context.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('query Sessions')) return route.continue();
      const response = await route.fetch();
      const json = await response.json();
      for (const session of json.data.viewer.sessions)
        session.lastUsedAt = new Date(Date.now() - 5.5 * 60_000).toISOString();
      return route.fulfill({ response, json });
    });
    await here.page.getByRole('link', { name: 'Settings' }).click();
    await here.page.getByRole('link', { name: 'Sessions' }).click();
    const rows = here.page.getByRole('list', { name: 'Sessions' }).getByRole('listitem');
    await rows.nth(2).waitFor();
    await rows
      .first()
      .getByText(/last used 5 ?m\w* ago/)
      .waitFor();
    await here.page.getByRole('button', { name: 'End all other sessions' }).click();
    await here.page.getByText('2 sessions have ended.').waitFor();
    await here.page.waitForFunction(
      () => document.querySelectorAll('[aria-label=Sessions] > li').length === 1,
    );
    assert.equal(await here.page.getByRole('button', { name: 'End all' }).count(), 0);
    await there.page.getByText('Your session has ended').waitFor();
    await here.page.getByRole('button', { name: 'Back' }).click();
    await here.page.getByRole('heading', { name: 'Appearance' }).waitFor();
    await here.context.unrouteAll({ behavior: 'ignoreErrors' });
  }),
);
