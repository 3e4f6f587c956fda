import { useRef, useState, type ChangeEvent } from 'react';
import { useClient } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { KINDS, uploadImage } from '../api/upload';
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
        avatar { id url(size: LARGE) }
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
      <Avatar handle={user.handle} name={user.displayName} image={user.avatar} size="l" />
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
          <PictureButton has={user.avatar !== null} />
          <Link to="/sessions" className="button button-quiet">Sessions</Link>
          <button type="button" className="button button-quiet" onClick={() => void session.logOut()}>Log out</button>
        </div>
      )}
    </section>
  );
}

const SetPicture = graphql(`
  mutation SetPicture($id: ID) {
    profileUpdate(input: { avatarImageId: $id }) {
      user { id avatar { id url(size: LARGE) small: url(size: SMALL) } }
      userErrors { code message path }
    }
  }
`);

/** The viewer's own picture: another one, or none. */
function PictureButton({ has }: { has: boolean }) {
  const client = useClient();
  const { run, busy, problem } = useAction(SetPicture);
  const input = useRef<HTMLInputElement>(null);
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const send = async ({ target }: ChangeEvent<HTMLInputElement>) => {
    const file = target.files?.[0];
    target.value = '';
    if (!file) return;
    setSending(true);
    setFailure(null);
    try {
      const id = await uploadImage(client, file, 'AVATAR', () => undefined, new AbortController().signal);
      await run({ id });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : 'The image could not be sent.');
    }
    setSending(false);
  };
  return (
    <>
      <input ref={input} type="file" accept={KINDS} hidden aria-label="Your picture" onChange={(event) => void send(event)} />
      <button type="button" className="button button-quiet" disabled={busy || sending} onClick={() => input.current?.click()}>
        {sending ? 'Sending…' : has ? 'Change picture' : 'Add a picture'}
      </button>
      {has && (
        <button type="button" className="button button-quiet" disabled={busy || sending} onClick={() => void run({ id: null })}>
          Remove picture
        </button>
      )}
      <ProblemLine problem={failure ? { message: failure, fields: {} } : problem} />
    </>
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
