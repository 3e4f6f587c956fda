// Where the cache puts what is told over the socket, without a browser or a plaza.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aClient, cursor, gql, home, HOME, post, POST, shown, texts } from './support/cache.mjs';

const UPDATED = gql`
  subscription Updated {
    homeUpdated {
      cursor
      node {
        ...TestPost
      }
    }
  }
  ${POST}
`;

/** Tells of posts as they come. */
function teller(it) {
  it.listen(UPDATED);
  const { tell } = it.asked.at(-1);
  return (number, more) =>
    tell({
      homeUpdated: { __typename: 'PostEdge', cursor: cursor(number), node: post(number, more) },
    });
}

async function atHome(numbers, end) {
  const it = aClient();
  const told = teller(it);
  const seen = it.watch(HOME);
  await it.asked.at(-1).tell(home(numbers, end));
  return { ...it, told, seen };
}

test('a post goes where its time says, and waits for the reader', async () => {
  const { arrivals, seen, told } = await atHome([5, 2], null);
  await told(7);
  await told(3);
  assert.deepEqual(shown(seen), [7, 5, 3, 2]);
  assert.deepEqual([...arrivals.held], ['p7', 'p3']);
});

test('one’s own post does not wait, and what is told twice is there once', async () => {
  const { arrivals, seen, told } = await atHome([5], null);
  const mine = { author: { __typename: 'User', id: 'me', handle: 'me' } };
  await told(6, mine);
  await told(6, mine);
  await told(5);
  assert.deepEqual(shown(seen), [6, 5]);
  assert.equal(arrivals.held.size, 0);
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

test('what one writes is there once, whichever comes first: what is told, or the answer', async () => {
  const { asked, run, seen, told } = await atHome([5, 2], null);
  const mine = { author: { __typename: 'User', id: 'me', handle: 'me' } };
  const last = () => asked.findLast(({ operation }) => operation.kind === 'mutation');
  await run(WRITE, { input: { text: 'Post 6' } });
  await told(7);
  assert.deepEqual(texts(seen), ['Post 6', 'Post 7', 'Post 5', 'Post 2']);
  await told(6, mine);
  assert.deepEqual(shown(seen), [7, 6, 5, 2], 'the one that plaza has');
  // The answer is lost; trying again changes nothing that is seen.
  await last().tell(null);
  assert.deepEqual(shown(seen), [7, 6, 5, 2]);
  await run(WRITE, { input: { text: 'Post 6' } });
  assert.deepEqual(shown(seen), [7, 6, 5, 2]);
  const postCreate = { __typename: 'PostCreatePayload', userErrors: [], post: post(6, mine) };
  await last().tell({ postCreate });
  assert.deepEqual(shown(seen), [6, 7, 5, 2]);
});

test('what is older than all that is loaded comes with the next page', async () => {
  const { seen, told } = await atHome([9, 8], 'c8');
  await told(3);
  assert.deepEqual(shown(seen), [9, 8]);
});

test('what is told before the list is there is put into it, if it is newer', async () => {
  const it = aClient();
  const told = teller(it);
  await told(7);
  await told(4);
  const seen = it.watch(HOME);
  await it.asked.at(-1).tell(home([6, 5], null));
  assert.deepEqual(shown(seen), [7, 6, 5]);
});

const UNREAD = gql`
  query Unread {
    viewer {
      unreadNotificationCount
    }
  }
`;
const PERSON = gql`
  query Person {
    user(handle: "hilde") {
      id
      viewerIsFollowing
      viewerHasRequestedToFollow
    }
  }
`;
const RECEIVED = gql`
  subscription Received {
    notificationReceived {
      cursor
      node {
        id
        kind
        createdAt
        actor {
          id
        }
      }
    }
  }
`;

test('a notification has the count asked for again; who accepted is followed', async () => {
  const it = aClient();
  it.listen(RECEIVED);
  const { tell } = it.asked.at(-1);
  const unread = it.watch(UNREAD);
  await it.asked.at(-1).tell({ viewer: { __typename: 'Viewer', unreadNotificationCount: 0 } });
  const person = it.watch(PERSON);
  const relation = { viewerIsFollowing: false, viewerHasRequestedToFollow: true };
  await it.asked.at(-1).tell({ user: { __typename: 'User', id: 'hilde', ...relation } });
  const before = it.asked.length;
  const actor = { __typename: 'User', id: 'hilde' };
  const node = { __typename: 'Notification', id: 'n1', kind: 'FOLLOW_ACCEPTED', actor };
  await tell({
    notificationReceived: {
      __typename: 'NotificationEdge',
      cursor: 'n1',
      node: { ...node, createdAt: post(1).createdAt },
    },
  });
  assert.equal(person.data.user.viewerIsFollowing, true);
  assert.equal(person.data.user.viewerHasRequestedToFollow, false);
  assert.equal(it.asked.length, before + 1, 'the count alone is asked for');
  await it.asked.at(-1).tell({ viewer: { __typename: 'Viewer', unreadNotificationCount: 1 } });
  assert.equal(unread.data.viewer.unreadNotificationCount, 1);
});
