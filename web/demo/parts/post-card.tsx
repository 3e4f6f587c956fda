import type { MouseEvent, ReactNode } from 'react';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { isUnsent } from '../api/unsent';
import { useSeen } from '../live/seen';
import { useMe } from '../me';
import { Link, navigate, paths } from '../router';
import { Filled } from './filled';
import { fullTime, times } from './format';
import { Icon } from './icon';
import { LikeButton, PostMenu, QuoteLink, RepostButton } from './post-actions';
import { PostImages, PostImagesFragment } from './post-images';
import { ProductCard, ProductCardFragment } from './product-card';
import { Ago, Avatar, Byline } from './small';
import { EntityFragment, RichText } from './text';
import { w } from '../words';

/** What of a post is shown within another one. */
export const QuotedPostFragment = graphql(
  `
    fragment QuotedPost on Post {
      id text createdAt
      author { id handle displayName }
      entities { ...Entity }
    }
  `,
  [EntityFragment],
);

const WrittenPostFragment = graphql(
  `
    fragment WrittenPost on Post {
      id text createdAt likeCount viewerHasLiked commentCount repostCount viewerHasReposted isQuote
      author { id handle displayName isPrivate avatar { id url(size: SMALL) } }
      entities { ...Entity }
      product { id ...ProductCard }
      quotedPost { id ...QuotedPost }
      ...PostImages
    }
  `,
  [EntityFragment, PostImagesFragment, ProductCardFragment, QuotedPostFragment],
);

export const PostCardFragment = graphql(
  `
    fragment PostCard on Post {
      id createdAt
      ...WrittenPost
      author { id handle displayName }
      repostOf { id ...WrittenPost }
    }
  `,
  [WrittenPostFragment],
);

/** A post, with what can be done with it; on its own page in full size. A repost is shown as the original, under who passed it on. */
export function PostCard({
  post: masked,
  whole = false,
  children,
}: {
  post: FragmentOf<typeof PostCardFragment>;
  whole?: boolean;
  /** What stands between the post and what can be done with it. */
  children?: ReactNode;
}) {
  const post = readFragment(PostCardFragment, masked);
  const shown = { whole, children };
  if (!post.repostOf) return <WrittenPost post={post} {...shown} />;
  return (
    <>
      <p className="reposted quiet">
        <Icon name="repost" />
        <span>
          <Filled
            message={w.repostedBy}
            parts={[
              (nobody) =>
                post.author ? (
                  <Link to={paths.person(post.author.handle)}>{post.author.displayName}</Link>
                ) : (
                  nobody
                ),
            ]}
          />
        </span>
      </p>
      <WrittenPost post={post.repostOf} {...shown} />
    </>
  );
}

function WrittenPost({
  post: masked,
  whole,
  children,
}: {
  post: FragmentOf<typeof WrittenPostFragment>;
  whole: boolean;
  children: ReactNode;
}) {
  const post = readFragment(WrittenPostFragment, masked);
  const me = useMe();
  const unsent = isUnsent(post.id);
  const seen = useSeen(unsent ? null : post.id);
  const { author } = post;
  // A click on what is no link opens the post; marking words in it does not.
  const open = (event: MouseEvent) => {
    const within =
      event.target instanceof Element &&
      event.target.closest('a, button, input, textarea, label, dialog, [role=menu]');
    if (within || event.defaultPrevented || getSelection()?.isCollapsed === false) return;
    navigate(paths.post(post.id));
  };
  const own = me !== null && author?.id === me.userId;
  const shareable = own || author?.isPrivate === false;
  return (
    <article
      ref={seen}
      className={`post${whole ? ' post-whole' : ''}${unsent ? ' row-unsent' : ''}`}
      tabIndex={-1}
      aria-label={w.postBy(author?.displayName)}
      onClick={whole || unsent ? undefined : open}
    >
      <Avatar
        handle={author?.handle ?? ''}
        name={author?.displayName ?? '?'}
        image={author?.avatar}
        linked
      />
      <div className="post-body">
        <header className="post-head">
          <h2>
            <Byline person={author} />
          </h2>
          {unsent ? (
            <span className="quiet post-time">{w.sending}</span>
          ) : (
            <>
              <Link to={paths.post(post.id)} className="quiet post-time">
                <Ago time={post.createdAt} />
              </Link>
              <PostMenu id={post.id} author={author} own={own} leave={whole} />
            </>
          )}
        </header>
        <RichText text={post.text} entities={post.entities} whole={whole} />
        <PostImages post={post} />
        {post.isQuote && <QuotedPost post={post.quotedPost} />}
        {post.product && <ProductCard product={post.product} small />}
        {whole && (
          <p className="quiet post-date">
            <time dateTime={post.createdAt}>{fullTime(post.createdAt)}</time>
          </p>
        )}
        {children}
        {/* There is nothing to like at plaza yet; its place is kept, so that nothing jumps. */}
        <footer className="post-foot" inert={unsent}>
          <LikeButton
            id={post.id}
            liked={post.viewerHasLiked ?? false}
            count={post.likeCount ?? 0}
          />
          <Link
            to={paths.post(post.id)}
            className="chip"
            aria-label={w.commentCount(times(post.commentCount))}
          >
            <Icon name="comment" /> {times(post.commentCount)}
          </Link>
          {shareable && (
            <RepostButton
              id={post.id}
              reposted={post.viewerHasReposted ?? false}
              count={post.repostCount ?? 0}
            />
          )}
          {shareable && me && <QuoteLink id={post.id} />}
        </footer>
      </div>
    </article>
  );
}

/** The post that another one is about; it may be gone, or not for who looks. */
export function QuotedPost({
  post: masked,
}: {
  post: FragmentOf<typeof QuotedPostFragment> | null;
}) {
  if (!masked) return <p className="quoted quiet">{w.quotedGone}</p>;
  const post = readFragment(QuotedPostFragment, masked);
  return (
    <blockquote className="quoted" aria-label={w.quotedPostBy(post.author?.displayName)}>
      <header className="post-head">
        <Byline person={post.author} />
        <Link to={paths.post(post.id)} className="quiet post-time">
          <Ago time={post.createdAt} />
        </Link>
      </header>
      <RichText text={post.text} entities={post.entities} />
    </blockquote>
  );
}
