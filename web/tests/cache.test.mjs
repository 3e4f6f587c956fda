// Lists by pages, and what mutations change besides what they answer, without a browser or a plaza.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aClient, gql, home, HOME, post, POST, shown, texts } from './support/cache.mjs';

/** Home with its first page there. */
async function atHome(numbers, end) {
  const it = aClient();
  const seen = it.watch(HOME);
  await it.asked.at(-1).tell(home(numbers, end));
  return { ...it, seen };
}

async function nextPage({ asked, watch }, after, numbers, end) {
  watch(HOME, { after });
  assert.deepEqual(asked.at(-1).variables, { after });
  await asked.at(-1).tell(home(numbers, end));
}

test('pages are one list, and a post that is on two of them is in it once', async () => {
  const it = await atHome([9, 8], 'c8');
  assert.deepEqual(shown(it.seen), [9, 8]);
  assert.equal(it.seen.data.viewer.home.pageInfo.endCursor, 'c8');
  await nextPage(it, 'c8', [8, 7], null);
  assert.deepEqual(shown(it.seen), [9, 8, 7]);
  assert.equal(it.seen.data.viewer.home.pageInfo.hasNextPage, false);
});

test('a page without anything leads on to the next', async () => {
  const it = await atHome([9], 'c9');
  await nextPage(it, 'c9', [], 'c5');
  assert.deepEqual(shown(it.seen), [9]);
  assert.equal(it.seen.data.viewer.home.pageInfo.endCursor, 'c5');
  await nextPage(it, 'c5', [4], null);
  assert.deepEqual(shown(it.seen), [9, 4]);
});

test('pages that no longer follow from the first are not shown', async () => {
  const it = await atHome([9, 8], 'c8');
  await nextPage(it, 'c8', [7], null);
  it.watch(HOME, {}, { requestPolicy: 'network-only' });
  await it.asked.at(-1).tell(home([12, 11], 'c11'));
  assert.deepEqual(shown(it.seen), [12, 11]);
  assert.equal(it.seen.data.viewer.home.pageInfo.endCursor, 'c11');
});

const LIKE = gql`
  mutation Like($input: PostLikeInput!) {
    postLike(input: $input) {
      userErrors {
        code
      }
      post {
        id
        likeCount
        viewerHasLiked
      }
    }
  }
`;

test('a like is shown at once; what plaza answers holds, and a refusal takes it back', async () => {
  const it = await atHome([1], null);
  const first = () => it.seen.data.viewer.home.edges[0].node;
  const like = () => it.run(LIKE, { input: { postId: 'p1' } });
  const answer = (payload) =>
    it.asked.at(-1).tell({ postLike: { __typename: 'PostLikePayload', ...payload } });
  await like();
  assert.deepEqual([first().likeCount, first().viewerHasLiked], [1, true]);
  await answer({ userErrors: [{ __typename: 'UserError', code: 'NOT_FOUND' }], post: null });
  assert.deepEqual([first().likeCount, first().viewerHasLiked], [0, false]);
  await like();
  await answer({ userErrors: [], post: { ...post(1), likeCount: 7, viewerHasLiked: true } });
  assert.deepEqual([first().likeCount, first().viewerHasLiked], [7, true]);
});

const PERSON = gql`
  query Person {
    user(handle: "hilde") {
      id
      isPrivate
      followerCount
      viewerIsFollowing
      viewerHasRequestedToFollow
    }
  }
`;
const FOLLOW = gql`
  mutation Follow($input: UserFollowInput!) {
    userFollow(input: $input) {
      userErrors {
        code
      }
      user {
        id
        viewerIsFollowing
        viewerHasRequestedToFollow
      }
    }
  }
`;

for (const [isPrivate, expected] of [
  [false, { viewerIsFollowing: true, viewerHasRequestedToFollow: false, followerCount: 4 }],
  [true, { viewerIsFollowing: false, viewerHasRequestedToFollow: true, followerCount: 3 }],
])
  test(`who is ${isPrivate ? 'private is asked' : 'public is followed'} at once`, async () => {
    const { asked, watch, run } = aClient();
    const seen = watch(PERSON);
    const relation = { viewerIsFollowing: false, viewerHasRequestedToFollow: false };
    const user = { __typename: 'User', id: 'hilde', isPrivate, followerCount: 3, ...relation };
    await asked.at(-1).tell({ user });
    await run(FOLLOW, { input: { userId: 'hilde' } });
    const { viewerIsFollowing, viewerHasRequestedToFollow, followerCount } = seen.data.user;
    assert.deepEqual({ viewerIsFollowing, viewerHasRequestedToFollow, followerCount }, expected);
  });

const WRITE = gql`
  mutation Write($input: PostCreateInput!) {
    postCreate(input: $input) {
      userErrors {
        code
      }
      post {
        ...TestPost
      }
    }
  }
  ${POST}
`;
const DELETE = gql`
  mutation Delete($input: PostDeleteInput!) {
    postDelete(input: $input) {
      deletedPostId
    }
  }
`;

const mine = (number) => post(number, { author: { __typename: 'User', id: 'me', handle: 'me' } });
const created = (number) => ({
  postCreate: { __typename: 'PostCreatePayload', userErrors: [], post: mine(number) },
});

test('what one writes is at the head of home at once, and gone when it is deleted', async () => {
  const { asked, run, seen } = await atHome([2, 1], null);
  await run(WRITE, { input: { text: ' Post 5 ' } });
  assert.deepEqual(texts(seen), ['Post 5', 'Post 2', 'Post 1']);
  const { id, author } = seen.data.viewer.home.edges[0].node;
  assert.match(id, /^unsent:/);
  assert.equal(author.handle, 'me');
  assert.equal(asked.at(-1).operation.kind, 'mutation', 'home is not asked for again');
  await asked.at(-1).tell(created(5));
  assert.deepEqual(shown(seen), [5, 2, 1]);
  await run(DELETE, { input: { postId: 'p5' } });
  await asked.at(-1).tell({ postDelete: { __typename: 'PostDeletePayload', deletedPostId: 'p5' } });
  assert.deepEqual(shown(seen), [2, 1]);
});

test('what is refused goes from the list, and what is written beside it stays in order', async () => {
  const { asked, run, seen } = await atHome([1], null);
  await run(WRITE, { input: { text: 'Post 5' } });
  await run(WRITE, { input: { text: 'Post 6' } });
  assert.deepEqual(texts(seen), ['Post 6', 'Post 5', 'Post 1']);
  const [first, second] = asked.filter(({ operation }) => operation.kind === 'mutation');
  const userErrors = [{ __typename: 'UserError', code: 'INVALID' }];
  await first.tell({ postCreate: { __typename: 'PostCreatePayload', userErrors, post: null } });
  await second.tell(created(6));
  assert.deepEqual(shown(seen), [6, 1]);
});

test('lists are read on while a post is on its way', async () => {
  const it = await atHome([9, 8], 'c8');
  await it.run(WRITE, { input: { text: 'Post 12' } });
  await nextPage(it, 'c8', [7], null);
  assert.deepEqual(texts(it.seen), ['Post 12', 'Post 9', 'Post 8', 'Post 7']);
});

const ANSWERS = gql`
  query Answers {
    post(id: "p1") {
      id
      quoteCount
      likers(first: 2) {
        edges {
          cursor
          node {
            id
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
      quotes(first: 2) {
        edges {
          cursor
          node {
            ...TestPost
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
  ${POST}
`;

const QUOTE = gql`
  mutation Quote($input: PostCreateInput!) {
    postCreate(input: $input) {
      userErrors {
        code
      }
      post {
        ...TestPost
        quotedPost {
          id
        }
      }
    }
  }
  ${POST}
`;

test('a quote is counted and listed; likers are asked for again after a like', async () => {
  const { asked, watch, run } = aClient();
  const seen = watch(ANSWERS);
  const pageInfo = { __typename: 'PageInfo', endCursor: null, hasNextPage: false };
  const likers = { __typename: 'UserConnection', edges: [], pageInfo };
  const quotes = { __typename: 'PostConnection', edges: [], pageInfo };
  const data = { post: { __typename: 'Post', id: 'p1', quoteCount: 0, likers, quotes } };
  await asked.at(-1).tell(data);
  await run(QUOTE, { input: { text: 'Post 5', quotedPostId: 'p1' } });
  assert.equal(seen.data.post.quoteCount, 0, 'not before plaza has it');
  const quote = { ...mine(5), quotedPost: { __typename: 'Post', id: 'p1' } };
  const created = { __typename: 'PostCreatePayload', userErrors: [], post: quote };
  await asked.at(-1).tell({ postCreate: created });
  assert.equal(seen.data.post.quoteCount, 1);
  assert.deepEqual(
    seen.data.post.quotes.edges.map(({ node }) => node.id),
    ['p5'],
  );
  await run(DELETE, { input: { postId: 'p5' } });
  await asked.at(-1).tell({ postDelete: { __typename: 'PostDeletePayload', deletedPostId: 'p5' } });
  assert.deepEqual([seen.data.post.quoteCount, seen.data.post.quotes.edges.length], [0, 0]);
  await run(LIKE, { input: { postId: 'p1' } });
  const like = asked.at(-1);
  assert.equal(like.operation.kind, 'mutation', 'nothing is asked for before the answer');
  const liked = { ...post(1), likeCount: 1, viewerHasLiked: true };
  await like.tell({ postLike: { __typename: 'PostLikePayload', userErrors: [], post: liked } });
  assert.equal(asked.at(-1).operation.kind, 'query');
});

const THREAD = gql`
  query Thread {
    post(id: "p1") {
      id
      commentCount
      comments(first: 2) {
        edges {
          cursor
          node {
            id
            text
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
`;
const COMMENT = gql`
  mutation Comment($input: CommentCreateInput!) {
    commentCreate(input: $input) {
      userErrors {
        code
      }
      comment {
        id
        text
      }
    }
  }
`;

for (const hasNextPage of [false, true])
  test(`a comment stands ${hasNextPage ? 'nowhere before the end is loaded' : 'at the end'}`, async () => {
    const { asked, watch, run } = aClient();
    const seen = watch(THREAD);
    const node = { __typename: 'Comment', id: 'k1', text: 'One' };
    const comments = {
      __typename: 'CommentConnection',
      edges: [{ __typename: 'CommentEdge', cursor: 'c1', node }],
      pageInfo: { __typename: 'PageInfo', endCursor: hasNextPage ? 'c1' : null, hasNextPage },
    };
    await asked.at(-1).tell({ post: { __typename: 'Post', id: 'p1', commentCount: 1, comments } });
    const texts = () => seen.data.post.comments.edges.map((edge) => edge.node.text);
    const expected = hasNextPage ? ['One'] : ['One', 'Two'];
    await run(COMMENT, { input: { postId: 'p1', text: ' Two ' } });
    assert.deepEqual(texts(), expected, 'before plaza has answered');
    const mine = asked.findLast(({ operation }) => operation.kind === 'mutation');
    const comment = { __typename: 'Comment', id: 'k2', text: 'Two' };
    const commentCreate = { __typename: 'CommentCreatePayload', userErrors: [], comment };
    await mine.tell({ commentCreate });
    assert.deepEqual(texts(), expected);
    assert.equal(seen.data.post.commentCount, 2);
  });
