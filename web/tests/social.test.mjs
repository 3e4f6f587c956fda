import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson, until } from './support/api.mjs';
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

const post = (page, text) => page.getByRole('article').filter({ hasText: text });

test(
  'a post is reposted, quoted, and told of',
  withPages({}, async (open) => {
    const [author, friend, reader] = await Promise.all([
      newPerson('Ada Author'),
      newPerson('Fred Friend'),
      newPerson('Rita Reader'),
    ]);
    await reader.follow(friend.id);
    await friend.follow(author.id);
    await author.post('Worth passing on');
    const reading = await open();
    await logIn(reading, reader);
    await untilLive(reading.page);

    const sharing = await open();
    await logIn(sharing, friend);
    const original = post(sharing.page, 'Worth passing on');
    await original.getByRole('button', { name: 'Repost: 0', pressed: false }).click();
    await original.getByRole('button', { name: 'Repost: 1', pressed: true }).waitFor();
    await original.getByRole('link', { name: 'Quote' }).click();
    await sharing.page.getByRole('blockquote').filter({ hasText: 'Worth passing on' }).waitFor();
    await sharing.page.getByLabel('Your post').fill('I told you so');
    await sharing.page.getByRole('button', { name: 'Post', exact: true }).click();
    await post(sharing.page, 'I told you so').getByLabel('Quoted post by Ada Author').waitFor();

    // The reader follows only the friend.
    await reading.page.getByRole('button', { name: '2 new posts' }).click();
    await post(reading.page, 'I told you so')
      .getByLabel('Quoted post by Ada Author')
      .getByText('Worth passing on')
      .waitFor();
    await reading.page.getByText('Reposted by Fred Friend').waitFor();
    const passedOn = reading.page.getByRole('listitem').filter({ hasText: 'Reposted by' });
    await passedOn.getByRole('button', { name: /^Like/ }).click();
    await passedOn.getByRole('button', { name: 'Like: 1', pressed: true }).waitFor();

    const told = await open();
    await logIn(told, author);
    await told.page.getByRole('link', { name: 'Notifications' }).click();
    for (const words of ['reposted your post', 'quoted your post', 'likes your post'])
      await told.page.getByText(words).first().waitFor();

    await sharing.goto('/');
    await post(sharing.page, 'Worth passing on')
      .last()
      .getByRole('button', { name: /^Repost/, pressed: true })
      .click();
    await post(sharing.page, 'Worth passing on')
      .last()
      .getByRole('button', { name: /^Repost/, pressed: false })
      .waitFor();
  }),
);

test(
  'who likes, reposts and quotes a post is listed, from the counts on its page',
  withPages({ viewport: PHONE }, async (open) => {
    const [author, friend, reader] = await Promise.all([
      newPerson('Ada Author'),
      newPerson('Fred Friend'),
      newPerson('Rita Reader'),
    ]);
    const id = await author.post('Worth passing on');
    const { page, goto } = await open();
    await logIn({ page, goto }, reader);
    await goto(`/p/${id}`);
    await page.getByText('No comments yet').waitFor();
    const counts = page.getByRole('list', { name: 'Responses to the post' });
    assert.equal(await counts.count(), 0, 'nobody has');

    const run = (query) => ask(query, { id }, friend.token);
    await run(
      'mutation($id: ID!) { postRepost(input: { postId: $id }) { userErrors { message } } }',
    );
    await run(
      'mutation($id: ID!) { postCreate(input: { text: "I told you so", quotedPostId: $id }) { userErrors { message } } }',
    );
    await until('both are counted and listed', async () => {
      const { post } = await run(
        'query($id: ID!) { post(id: $id) { repostCount quoteCount reposts { nodes { id } } quotes { nodes { id } } } }',
      );
      const { repostCount, quoteCount, reposts, quotes } = post;
      const all = [repostCount, quoteCount, reposts.nodes.length, quotes.nodes.length];
      return all.every((count) => count === 1);
    });
    await until('the page counts both', async () => {
      await goto(`/p/${id}`);
      await page.getByText('No comments yet').waitFor();
      return (await counts.getByRole('link').count()) === 2;
    });
    await counts.getByRole('link', { name: '1 repost' }).waitFor();
    // One's own is counted and listed at once.
    await page.getByRole('button', { name: 'Like: 0' }).click();
    await counts.getByRole('link', { name: '1 like' }).click();
    const likes = page.getByRole('list', { name: 'Likes' });
    await likes.getByText('Rita Reader').waitFor();
    assert.equal(await likes.getByRole('button').count(), 0, 'nobody follows themselves');
    await fitsSideways(page);

    const lists = page.getByRole('navigation', { name: 'Responses to the post' });
    await lists.getByRole('link', { name: 'Reposts' }).click();
    const reposts = page.getByRole('list', { name: 'Reposts' });
    await reposts
      .getByRole('listitem')
      .filter({ hasText: 'Fred Friend' })
      .getByRole('button', { name: 'Follow', exact: true })
      .waitFor();
    await lists.getByRole('link', { name: 'Quotes' }).click();
    await post(page, 'I told you so').getByLabel('Quoted post by Ada Author').waitFor();
    await fitsSideways(page);

    // A link and a reload lead here, too; and where nothing is, it is said.
    await page.reload();
    await post(page, 'I told you so').waitFor();
    await goto(`/p/${await author.post('Of no interest')}/likes`);
    await page.getByText('No likes to see').waitFor();
    await goto('/p/not-an-id/quotes');
    await page.getByText('This post is not here').waitFor();
  }),
);

test(
  'who follows the viewer is marked so, on their page and in lists',
  withPages({}, async (open) => {
    const [me, friend, other] = await Promise.all([
      newPerson('Mia Me'),
      newPerson('Fred Friend'),
      newPerson('Otto Other'),
    ]);
    await friend.follow(me.id);
    await me.follow(other.id);
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const profile = page.getByRole('region', { name: 'Profile' });
    await goto(`/u/${friend.handle}`);
    await profile.getByText('Follows you').waitFor();
    await goto(`/u/${other.handle}`);
    await profile.getByRole('button', { name: 'Following' }).waitFor();
    assert.equal(await page.getByText('Follows you').count(), 0);
    await goto(`/u/${me.handle}/followers`);
    await page
      .getByRole('listitem')
      .filter({ hasText: 'Fred Friend' })
      .getByText('Follows you')
      .waitFor();
    await goto(`/u/${me.handle}/following`);
    await page.getByRole('listitem').filter({ hasText: 'Otto Other' }).waitFor();
    assert.equal(await page.getByText('Follows you').count(), 0);
  }),
);

test(
  'who begins with nobody keeps the suggestions after the first follow, and may follow all',
  withPages({}, async (open) => {
    const [me, ada, bea] = await Promise.all([
      newPerson('Mia Me'),
      newPerson('Ada Author'),
      newPerson('Bea Baker'),
    ]);
    await ada.post('Fresh from the kiln');
    for (const seller of [ada, bea]) await seller.offer('A bowl');
    const { page, goto } = await open();
    await logIn({ page, goto }, me);
    const suggested = page.getByRole('region', { name: 'People to follow' });
    const rows = suggested.getByRole('listitem');
    const first = rows.filter({ hasText: ada.handle });
    await first.getByRole('button', { name: 'Follow', exact: true }).click();
    await post(page, 'Fresh from the kiln').waitFor();
    // They are still there, the one who is followed too.
    await first.getByRole('button', { name: 'Following' }).waitFor();
    await suggested.getByRole('button', { name: 'Follow all' }).click();
    await page.waitForFunction(
      () => !document.querySelector('.suggestions li [aria-pressed=false]'),
    );
    assert.ok(await suggested.getByRole('button', { name: 'Follow all' }).isDisabled());
    await until('all are followed', () => me.followsByNow(bea.handle));

    await page.getByRole('link', { name: 'Shop', exact: true }).click();
    await page.getByRole('heading', { name: 'Shop', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Home' }).click();
    await post(page, 'Fresh from the kiln').waitFor();
    // The next visit begins with posts.
    await page.reload();
    await post(page, 'Fresh from the kiln').waitFor();
    assert.equal(await suggested.count(), 0);
  }),
);

test(
  'mentions and hashtags lead to what they name',
  withPages({ viewport: PHONE }, async (open) => {
    const [author, friend] = await Promise.all([newPerson('Ada Author'), newPerson('Fred Friend')]);
    const tag = `Käse${author.handle.replace(/[^a-z0-9]/g, '')}`;
    await author.post(`🌿 @${friend.handle} and @nobody_at_all: #${tag}!`);
    await author.post(`More #${tag.toUpperCase()}`);
    const reading = await open();
    await reading.goto(`/u/${author.handle}`);
    const first = post(reading.page, 'nobody_at_all');
    assert.equal(await first.getByRole('link', { name: '@nobody_at_all' }).count(), 0);
    assert.equal(
      await first.getByRole('link', { name: `@${friend.handle}` }).getAttribute('href'),
      `/u/${friend.handle}`,
    );
    await first.getByRole('link', { name: `#${tag}` }).click();
    await reading.page.getByRole('heading', { name: `#${tag.toLowerCase()}`, level: 2 }).waitFor();
    await reading.page.getByText('2 posts').waitFor();
    const texts = await reading.page
      .getByRole('list', { name: `Posts with #${tag.toLowerCase()}` })
      .locator('.prose')
      .allTextContents();
    assert.deepEqual(texts, [
      `More #${tag.toUpperCase()}`,
      `🌿 @${friend.handle} and @nobody_at_all: #${tag}!`,
    ]);
    await fitsSideways(reading.page);
  }),
);

test(
  'comments are answered, and the answers are below what they answer',
  withPages({}, async (open) => {
    const [author, friend] = await Promise.all([newPerson('Ada Author'), newPerson('Fred Friend')]);
    const id = await author.post('Discuss this');
    await friend.comment(id, 'A first thought');
    const answering = await open();
    await logIn(answering, author);
    await answering.goto(`/p/${id}`);
    const thought = answering.page.getByRole('listitem').filter({ hasText: 'A first thought' });
    await thought.getByRole('button', { name: 'Reply', exact: true }).click();
    await thought.getByLabel('Your reply').fill('An answer to it');
    await thought
      .getByLabel('Write a reply')
      .getByRole('button', { name: 'Reply', exact: true })
      .click();
    await thought.getByRole('button', { name: '1 reply' }).waitFor();
    await thought
      .getByRole('list', { name: 'Replies to Fred Friend' })
      .getByText('An answer to it')
      .waitFor();
    await answering.page.getByRole('link', { name: 'Comments: 2' }).waitFor();

    // As it is after a reload, for somebody else.
    const reading = await open();
    await reading.goto(`/p/${id}`);
    await reading.page.getByRole('button', { name: '1 reply' }).click();
    await reading.page
      .getByRole('list', { name: 'Replies to Fred Friend' })
      .getByText('An answer to it')
      .waitFor();
  }),
);
