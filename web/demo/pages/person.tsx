import { useRef, useState } from 'react';
import { graphql, type ResultOf } from '../../shared/graphql';
import { KINDS } from '../api/images';
import { uploadImage } from '../api/upload';
import { useAction } from '../api/use-action';
import { usePages } from '../api/use-pages';
import { copyLink, useBlocking } from '../api/relations';
import { useMe, usePlaza } from '../me';
import { FollowButton } from '../parts/follow-button';
import { times } from '../parts/format';
import { late } from '../parts/late';
import { Page } from '../parts/page';
import type { CropProps } from '../parts/picture-crop';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { Menu, type MenuItem } from '../parts/menu';
import { Avatar, FollowsYou } from '../parts/small';
import { EndlessList, Empty, Failed, ProblemLine, Skeletons } from '../parts/states';
import { Prose } from '../parts/text';
import { Link, paths } from '../router';
import { more, w } from '../words';
import '../style/profile.css';

const Person = graphql(
  `
    query Person($handle: String!, $first: Int!, $after: String) {
      user(handle: $handle) {
        id handle displayName bio isPrivate
        isFollowingViewer viewerIsFollowing viewerHasRequestedToFollow viewerIsBlocking
        followerCount followingCount postCount
        avatar { id url(size: LARGE) }
        products(first: 1) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } }
        posts(first: $first, after: $after) {
          edges { cursor node { id ...PostCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

type User = NonNullable<ResultOf<typeof Person>['user']>;

export function PersonPage({ handle }: { handle: string }) {
  const pages = usePages({
    query: Person,
    variables: { handle, first: 20 },
    connection: (data) => data.user?.posts,
  });
  const user = pages.data?.user;
  if (!user) {
    return (
      <Page title={`@${handle}`} hideTitle>
        {pages.fetching ? (
          <Skeletons count={3} />
        ) : pages.error ? (
          <Failed error={pages.error} retry={pages.reload} />
        ) : (
          <Empty title={more.noPerson(handle)} />
        )}
      </Page>
    );
  }
  const hidden = user.isPrivate && !user.viewerIsFollowing;
  return (
    <Page title={user.displayName} hideTitle>
      <Profile user={user} />
      <EndlessList
        pages={pages}
        label={more.postsBy(user.displayName)}
        empty={
          hidden ? (
            <Empty title={more.privateAccount}>{more.privateWhy}</Empty>
          ) : (
            <Empty title={more.noPosts} />
          )
        }
        render={({ node }) => (
          <li key={node.id}>
            <PostCard post={node} />
          </li>
        )}
      />
    </Page>
  );
}

function Profile({ user }: { user: User }) {
  const me = useMe();
  const own = me?.userId === user.id;
  const { block, unblock } = useBlocking();
  const { id, handle } = user;
  const items: MenuItem[] = [{ label: w.copyLink, run: () => void copyLink(paths.person(handle)) }];
  if (me && !own) {
    items.push(
      user.viewerIsBlocking
        ? { label: more.unblockThem(handle), run: () => unblock(id, handle) }
        : { label: w.block(handle), run: () => block(id, handle) },
    );
  }
  return (
    <section className="profile" aria-label={w.profile}>
      <Avatar handle={user.handle} name={user.displayName} image={user.avatar} size="l" />
      <div className="profile-name">
        <h2>{user.displayName}</h2>
        <p className="quiet">
          @{user.handle}
          {user.isPrivate && ` · ${more.private}`}
          <FollowsYou user={user} />
        </p>
      </div>
      <div className="profile-actions">
        {!own && !user.viewerIsBlocking && <FollowButton key={id} user={user} />}
        {user.viewerIsBlocking && (
          <button type="button" className="button button-quiet" onClick={() => unblock(id, handle)}>
            {more.unblock}
          </button>
        )}
        <Menu label={more.moreAbout(handle)} items={items} />
      </div>
      {user.bio && <Prose text={user.bio} />}
      <dl className="counts">
        <div>
          <dt>{more.posts}</dt>
          <dd>{times(user.postCount)}</dd>
        </div>
        <div>
          <dt>{more.followers}</dt>
          <dd>
            <Counted
              to={`${paths.person(handle)}/followers`}
              count={user.followerCount}
              what={more.followerCount}
            />
          </dd>
        </div>
        <div>
          <dt>{more.following}</dt>
          <dd>
            <Counted
              to={`${paths.person(handle)}/following`}
              count={user.followingCount}
              what={more.followingCount}
            />
          </dd>
        </div>
      </dl>
      {!!user.products?.edges.length && (
        <div className="buttons">
          <Link to={paths.goods(handle)} className="button button-quiet">
            {more.productsOf(user.displayName)}
          </Link>
        </div>
      )}
      {own && (
        <div className="buttons">
          <PictureButton has={user.avatar !== null} />
          <Link to="/settings" className="button button-quiet">
            {w.settings}
          </Link>
          <Link to="/analytics" className="button button-quiet">
            {w.analytics}
          </Link>
        </div>
      )}
    </section>
  );
}

/** A count that leads to whom it counts, where one may see them. */
function Counted({
  to,
  count,
  what,
}: {
  to: string;
  count: number | null;
  what: (count: number) => string;
}) {
  if (count === null) return <>{times(count)}</>;
  return (
    <Link to={to} aria-label={what(count)}>
      {times(count)}
    </Link>
  );
}

const PictureCrop = late<CropProps>(
  async () => (await import('../parts/picture-crop')).PictureCrop,
  ({ done }) => done(null),
);

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
  const plaza = usePlaza();
  const { run, busy, problem } = useAction(SetPicture);
  const input = useRef<HTMLInputElement>(null);
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [chosen, choose] = useState<File | null>(null);
  const send = async (file: File | null) => {
    choose(null);
    if (!file) return;
    setSending(true);
    setFailure(null);
    try {
      const id = await uploadImage(
        plaza,
        file,
        'AVATAR',
        () => undefined,
        new AbortController().signal,
      );
      await run({ id });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : w.imageNotSent);
    }
    setSending(false);
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        accept={KINDS}
        hidden
        aria-label={more.yourPicture}
        onChange={({ target }) => {
          choose(target.files?.[0] ?? null);
          // The same file may be chosen again.
          target.value = '';
        }}
      />
      {chosen && <PictureCrop file={chosen} done={(file) => void send(file)} />}
      <button
        type="button"
        className="button button-quiet"
        disabled={busy || sending}
        onClick={() => input.current?.click()}
      >
        {sending ? w.sending : has ? more.changePicture : more.addPicture}
      </button>
      {has && (
        <button
          type="button"
          className="button button-quiet"
          disabled={busy || sending}
          onClick={() => void run({ id: null })}
        >
          {more.removePicture}
        </button>
      )}
      <ProblemLine problem={failure ? { message: failure, fields: {} } : problem} />
    </>
  );
}
