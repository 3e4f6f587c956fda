import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson, until } from './support/api.mjs';
import {
  closeBrowser,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

test(
  'a profile is edited: name, bio, private; what is refused is said at its field',
  withPages({ viewport: PHONE }, async (open) => {
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
    const { viewer } = await ask('{ viewer { user { displayName bio isPrivate } } }', {}, me.token);
    assert.deepEqual(viewer.user, {
      displayName: 'Ada of the Kiln',
      bio: 'Bowls, cups and the odd plate. https://example.org/kiln',
      isPrivate: true,
    });
    await page.getByLabel('Name').fill('   ');
    await page.getByRole('button', { name: 'Save profile' }).click();
    await page.locator('input[name=displayName][aria-invalid=true]').waitFor();
    await goto(`/u/${me.handle}`);
    const link = page.getByRole('link', { name: 'example.org/kiln' });
    assert.equal(await link.getAttribute('href'), 'https://example.org/kiln');
    assert.match(await link.getAttribute('rel'), /nofollow.*ugc.*noopener/);
    await page.getByText('private').first().waitFor();
  }),
);

test(
  'a theme is chosen, and is there before anything is drawn',
  withPages({ colorScheme: 'light' }, async (open) => {
    const me = await newPerson();
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
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
  }),
);

test(
  'somebody is blocked from a post, listed, and let in again',
  withPages({}, async (open) => {
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
    const { user } = await ask(
      'query($handle: String!) { user(handle: $handle) { viewerIsBlocking } }',
      { handle: other.handle },
      me.token,
    );
    assert.equal(user.viewerIsBlocking, false);
  }),
);

test(
  'who writes an unfriendly comment is blocked where it stands, and is back when that is undone',
  withPages({ viewport: PHONE }, async (open) => {
    const [me, other] = await Promise.all([newPerson('Mia Me'), newPerson('Otto Other')]);
    const id = await me.post('Say what you think');
    await other.comment(id, 'Something unfriendly');
    await me.comment(id, 'My own');
    const { page, goto } = await open();
    page.on('dialog', (dialog) => dialog.accept());
    await logIn({ page, goto }, me);
    await goto(`/p/${id}`);
    const comment = (text) => page.locator('.thread').filter({ hasText: text });
    await comment('My own').waitFor();
    assert.equal(await comment('My own').getByRole('button', { name: 'More' }).count(), 0);
    await comment('Something unfriendly').getByRole('button', { name: 'More' }).click();
    await fitsSideways(page);
    await page.getByRole('menuitem', { name: `Block @${other.handle}` }).click();
    await page.getByText(`@${other.handle} is blocked.`).waitFor();
    await comment('Something unfriendly').waitFor({ state: 'detached' });
    const blocking = async () =>
      (
        await ask(
          'query($handle: String!) { user(handle: $handle) { viewerIsBlocking } }',
          { handle: other.handle },
          me.token,
        )
      ).user.viewerIsBlocking;
    assert.equal(await blocking(), true);
    await page.getByLabel('Messages').getByRole('button', { name: 'Undo' }).click();
    await comment('Something unfriendly').waitFor();
    await page.getByText(`@${other.handle} is no longer blocked.`).waitFor();
    assert.equal(await blocking(), false);
  }),
);

test(
  'a private person is asked, that is remembered, and an answered request has no buttons',
  withPages({}, async (open) => {
    const [me, other] = await Promise.all([newPerson('Pia Private'), newPerson('Ask Asker')]);
    await ask(
      'mutation { profileUpdate(input: { isPrivate: true }) { userErrors { message } } }',
      {},
      me.token,
    );
    const asking = await open();
    await logIn(asking, other);
    await asking.goto(`/u/${me.handle}`);
    await asking.page.getByRole('button', { name: 'Follow', exact: true }).click();
    await asking.page.getByRole('button', { name: 'Requested' }).waitFor();
    await asking.page.reload();
    await asking.page.getByRole('button', { name: 'Requested' }).waitFor();

    const answering = await open();
    // The list as it was before the answer, as a replica that is behind has it.
    let before;
    await answering.context.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('query NotificationGroups'))
        return route.continue();
      const response = await route.fetch();
      const json = await response.json();
      if (json.data.viewer.notificationGroups.edges.length > 0) before ??= json;
      return route.fulfill({ response, json: before ?? json });
    });
    await logIn(answering, me);
    await answering.page.getByLabel('1 new').waitFor();
    await answering.page.getByRole('link', { name: 'Notifications' }).click();
    const told = answering.page.getByRole('list', { name: 'Notifications' });
    const accept = answering.page.getByRole('button', { name: 'Accept' });
    await told.getByText('asks to follow you').waitFor();
    await accept.click();
    await accept.waitFor({ state: 'detached' });
    await told.getByText('Answered').waitFor();
    const asked = async (fields) => (await ask(`{ viewer { ${fields} } }`, {}, me.token)).viewer;
    await until('nobody asks any more', async () => {
      const { followRequests } = await asked('followRequests(first: 1) { nodes { id } }');
      return followRequests.nodes.length === 0;
    });
    await answering.page.reload();
    await told.getByText('Answered').waitFor();
    assert.equal(await accept.count(), 0);

    // As it is: a request is told of until it is answered, then what came of it.
    await answering.context.unrouteAll({ behavior: 'wait' });
    await until('the follow alone is told', async () => {
      const { notificationGroups } = await asked('notificationGroups(first: 5) { nodes { kind } }');
      return notificationGroups.nodes.map(({ kind }) => kind).join() === 'FOLLOWED';
    });
    await answering.page.reload();
    await told.getByText('follows you').waitFor();
    assert.equal(await told.getByText('asks to follow you').count(), 0);
    assert.equal(await accept.count(), 0);

    await answering.goto(`/u/${me.handle}`);
    await answering.page.getByRole('link', { name: '1 follower' }).click();
    await answering.page.getByRole('list', { name: 'Followers' }).getByText('Ask Asker').waitFor();
    await answering.page.getByRole('button', { name: 'Back' }).click();
    await answering.page.getByRole('region', { name: 'Profile' }).waitFor();
    // Told over the socket, without a reload, and it stays so.
    await asking.page.getByRole('button', { name: 'Following' }).waitFor();
    await asking.page.reload();
    await asking.page.getByRole('button', { name: 'Following' }).waitFor();
  }),
);

test(
  'a request is known in every browser, and is over once it is withdrawn or declined',
  withPages({}, async (open) => {
    const [me, other] = await Promise.all([newPerson('Pia Private'), newPerson('Ask Asker')]);
    await ask(
      'mutation { profileUpdate(input: { isPrivate: true }) { userErrors { message } } }',
      {},
      me.token,
    );
    const follow = (page) => page.getByRole('button', { name: 'Follow', exact: true });
    const requested = (page) => page.getByRole('button', { name: 'Requested' });
    const asking = await open();
    await logIn(asking, other);
    await asking.goto(`/u/${me.handle}`);
    // What plaza has said of the viewer and the person, with its answer to a mutation.
    const answerTo = async (mutation, field) => {
      const response = await asking.page.waitForResponse((response) =>
        response.request().postData()?.includes(`mutation ${mutation}(`),
      );
      const { viewerIsFollowing, viewerHasRequestedToFollow } = (await response.json()).data[field]
        .user;
      return { viewerIsFollowing, viewerHasRequestedToFollow };
    };
    // It is shown before plaza has answered.
    let release;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    await asking.context.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('mutation Follow(')) await held;
      return route.continue();
    });
    const follows = answerTo('Follow', 'userFollow');
    await follow(asking.page).click();
    await requested(asking.page).waitFor();
    release();
    assert.deepEqual(await follows, { viewerIsFollowing: false, viewerHasRequestedToFollow: true });
    await asking.context.unrouteAll({ behavior: 'wait' });
    const withdraws = answerTo('Unfollow', 'userUnfollow');
    await requested(asking.page).click();
    await follow(asking.page).waitFor();
    assert.deepEqual(await withdraws, {
      viewerIsFollowing: false,
      viewerHasRequestedToFollow: false,
    });
    await asking.goto(`/u/${me.handle}`);
    await follow(asking.page).click();
    await requested(asking.page).waitFor();
    const asked = async () =>
      (await ask('{ viewer { followRequests(first: 1) { nodes { id } } } }', {}, me.token)).viewer
        .followRequests.nodes;
    await until('the request has come', async () => (await asked()).length === 1);

    const elsewhere = await open();
    await logIn(elsewhere, other);
    await elsewhere.goto(`/u/${me.handle}`);
    await requested(elsewhere.page).waitFor();

    const answering = await open();
    await logIn(answering, me);
    await answering.goto('/requests');
    await answering.page.getByRole('button', { name: 'Decline' }).click();
    await answering.page.getByText('Nobody asks', { exact: true }).waitFor();
    for (const { page, goto } of [asking, elsewhere]) {
      await goto(`/u/${me.handle}`);
      await follow(page).waitFor();
      assert.equal(await requested(page).count(), 0);
    }
  }),
);
