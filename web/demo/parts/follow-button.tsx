import { useState } from 'react';
import { useAction } from '../api/use-action';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { navigate } from '../router';
import { more } from '../words';

const Follow = graphql(`
  mutation Follow($userId: ID!) {
    userFollow(input: { userId: $userId }) { user { id viewerIsFollowing } userErrors { code message path } }
  }
`);

const Unfollow = graphql(`
  mutation Unfollow($userId: ID!) {
    userUnfollow(input: { userId: $userId }) { user { id viewerIsFollowing } userErrors { code message path } }
  }
`);

/** Whom one has asked in this browser: plaza does not say it yet. */
const asking = (me: string | undefined, userId: string) => `plaza.asked.${me ?? ''}.${userId}`;

function wasAsked(key: string): boolean {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return false;
  }
}

function noteAsked(key: string, asked: boolean): void {
  try {
    if (asked) localStorage.setItem(key, '1');
    else localStorage.removeItem(key);
  } catch {
    // It holds until the page is left.
  }
}

interface Followed {
  id: string;
  handle: string;
  viewerIsFollowing: boolean | null;
}

export function FollowButton({ user }: { user: Followed }) {
  const me = useMe();
  const follow = useAction(Follow, { aloud: true, durable: true });
  const unfollow = useAction(Unfollow, { aloud: true, durable: true });
  const key = asking(me?.userId, user.id);
  const [asked, show] = useState(() => wasAsked(key));
  const following = user.viewerIsFollowing ?? false;
  const setAsked = (asked: boolean) => {
    noteAsked(key, asked);
    show(asked);
  };
  const pending = asked && !following;

  const toggle = async () => {
    if (!me) return navigate('/login');
    if (following || pending) {
      if (await unfollow.run({ userId: user.id })) setAsked(false);
      return;
    }
    const done = await follow.run({ userId: user.id });
    // Somebody private has been asked, and may say yes later.
    setAsked(done?.userFollow?.user?.viewerIsFollowing === false);
  };
  return (
    <button
      type="button"
      className={following || pending ? 'button button-quiet' : 'button'}
      aria-pressed={following}
      onClick={() => void toggle()}
    >
      {following ? more.followingNow : pending ? more.requested : more.follow}
    </button>
  );
}
