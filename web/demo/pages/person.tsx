import { useState } from 'react';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { usePages } from '../api/use-pages';
import { useLogIn, useMe } from '../me';
import { times } from '../parts/format';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { Avatar, Prose } from '../parts/small';
import { EndlessList, Empty, Failed, ProblemLine, Skeletons } from '../parts/states';
import { Link, navigate } from '../router';

const Person = graphql(
  `
    query Person($handle: String!, $first: Int!, $after: String) {
      user(handle: $handle) {
        id handle displayName bio isPrivate viewerIsFollowing followerCount followingCount postCount
        posts(first: $first, after: $after) {
          edges { cursor node { id ...PostCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

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

type User = NonNullable<ResultOf<typeof Person>['user']>;

export function PersonPage({ handle }: { handle: string }) {
  const pages = usePages({ query: Person, variables: { handle, first: 20 }, connection: (data) => data.user?.posts });
  const user = pages.data?.user;
  if (!user) {
    return (
      <Page title={`@${handle}`} hideTitle>
        {pages.fetching ? <Skeletons count={3} /> : pages.error ? <Failed error={pages.error} retry={pages.reload} /> : <Empty title={`There is no @${handle}`} />}
      </Page>
    );
  }
  const hidden = user.isPrivate && !user.viewerIsFollowing;
  return (
    <Page title={user.displayName} hideTitle>
      <Profile user={user} />
      <EndlessList
        pages={pages}
        label={`Posts by ${user.displayName}`}
        empty={hidden ? <Empty title="This account is private">Only those it lets follow it see its posts.</Empty> : <Empty title="No posts yet" />}
        render={({ node }) => <li key={node.id}><PostCard post={node} /></li>}
      />
    </Page>
  );
}

function Profile({ user }: { user: User }) {
  const session = useLogIn();
  const own = useMe()?.userId === user.id;
  return (
    <section className="profile" aria-label="Profile">
      <Avatar handle={user.handle} name={user.displayName} size="l" />
      <div className="profile-name">
        <h2>{user.displayName}</h2>
        <p className="quiet">
          @{user.handle}
          {user.isPrivate && ' · private'}
        </p>
      </div>
      {!own && <FollowButton user={user} />}
      {user.bio && <Prose text={user.bio} />}
      <dl className="counts">
        <div><dt>Posts</dt><dd>{times(user.postCount)}</dd></div>
        <div><dt>Followers</dt><dd>{times(user.followerCount)}</dd></div>
        <div><dt>Following</dt><dd>{times(user.followingCount)}</dd></div>
      </dl>
      {own && (
        <div className="buttons">
          <Link to="/sessions" className="button button-quiet">Sessions</Link>
          <button type="button" className="button button-quiet" onClick={() => void session.logOut()}>Log out</button>
        </div>
      )}
    </section>
  );
}

function FollowButton({ user }: { user: User }) {
  const me = useMe();
  const follow = useAction(Follow);
  const unfollow = useAction(Unfollow);
  const [asked, setAsked] = useState(false);
  const following = user.viewerIsFollowing ?? false;

  const toggle = async () => {
    if (!me) return navigate('/login');
    if (following || asked) {
      await unfollow.run({ userId: user.id });
      return setAsked(false);
    }
    const done = await follow.run({ userId: user.id });
    // Somebody private has been asked, and may say yes later.
    setAsked(done?.userFollow?.user?.viewerIsFollowing === false);
  };
  return (
    <div className="follow">
      <button type="button" className={following || asked ? 'button button-quiet' : 'button'} aria-pressed={following} onClick={() => void toggle()}>
        {following ? 'Following' : asked ? 'Requested' : 'Follow'}
      </button>
      <ProblemLine problem={follow.problem ?? unfollow.problem} />
    </div>
  );
}
