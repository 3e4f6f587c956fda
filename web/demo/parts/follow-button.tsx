import { useAction } from '../api/use-action';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { navigate, toLogIn } from '../router';
import { more } from '../words';

export const Follow = graphql(`
  mutation Follow($userId: ID!) {
    userFollow(input: { userId: $userId }) {
      user { id viewerIsFollowing viewerHasRequestedToFollow }
      userErrors { code message path }
    }
  }
`);

const Unfollow = graphql(`
  mutation Unfollow($userId: ID!) {
    userUnfollow(input: { userId: $userId }) {
      user { id viewerIsFollowing viewerHasRequestedToFollow }
      userErrors { code message path }
    }
  }
`);

interface Followed {
  id: string;
  handle: string;
  viewerIsFollowing: boolean | null;
  viewerHasRequestedToFollow: boolean | null;
}

export function FollowButton({ user }: { user: Followed }) {
  const me = useMe();
  const follow = useAction(Follow, { aloud: true, durable: true });
  const unfollow = useAction(Unfollow, { aloud: true, durable: true });
  const following = user.viewerIsFollowing ?? false;
  // Somebody private has been asked, and may say yes later.
  const pending = !following && (user.viewerHasRequestedToFollow ?? false);

  const toggle = () => {
    if (!me) return navigate(toLogIn());
    const change = following || pending ? unfollow : follow;
    void change.run({ userId: user.id });
  };
  return (
    <button
      type="button"
      className={following || pending ? 'button button-quiet' : 'button'}
      aria-pressed={following}
      onClick={toggle}
    >
      {following ? more.followingNow : pending ? more.requested : more.follow}
    </button>
  );
}
