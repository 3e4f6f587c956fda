import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { useSeen } from '../live/seen';
import { useMe } from '../me';
import { Link, paths } from '../router';
import { times } from './format';
import { Icon } from './icon';
import { DeleteButton, LikeButton, QuoteLink, RepostButton } from './post-actions';
import { PostImages, PostImagesFragment } from './post-images';
import { ProductCard, ProductCardFragment } from './product-card';
import { Ago, Avatar, Byline } from './small';
import { EntityFragment, RichText } from './text';

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
export function PostCard({ post: masked, whole = false }: { post: FragmentOf<typeof PostCardFragment>; whole?: boolean }) {
  const post = readFragment(PostCardFragment, masked);
  if (!post.repostOf) return <WrittenPost post={post} whole={whole} />;
  return (
    <>
      <p className="reposted quiet">
        <Icon name="repost" />
        <span>
          Reposted by{' '}
          {post.author ? <Link to={paths.person(post.author.handle)}>{post.author.displayName}</Link> : 'somebody who is not here any more'}
        </span>
      </p>
      <WrittenPost post={post.repostOf} whole={whole} />
    </>
  );
}

function WrittenPost({ post: masked, whole }: { post: FragmentOf<typeof WrittenPostFragment>; whole: boolean }) {
  const post = readFragment(WrittenPostFragment, masked);
  const me = useMe();
  const seen = useSeen(post.id);
  const { author } = post;
  const own = me !== null && author?.id === me.userId;
  const shareable = own || author?.isPrivate === false;
  return (
    <article ref={seen} className={whole ? 'post post-whole' : 'post'} aria-label={`Post by ${author?.displayName ?? 'somebody'}`}>
      <Avatar handle={author?.handle ?? ''} name={author?.displayName ?? '?'} image={author?.avatar} />
      <div className="post-body">
        <header className="post-head">
          <Byline person={author} />
          <Link to={paths.post(post.id)} className="quiet post-time" aria-label="Open post">
            <Ago time={post.createdAt} />
          </Link>
        </header>
        <RichText text={post.text} entities={post.entities} />
        <PostImages post={post} />
        {post.isQuote && <QuotedPost post={post.quotedPost} />}
        {post.product && <ProductCard product={post.product} small />}
        <footer className="post-foot">
          <LikeButton id={post.id} liked={post.viewerHasLiked ?? false} count={post.likeCount ?? 0} />
          <Link to={paths.post(post.id)} className="chip" aria-label={`Comments: ${post.commentCount ?? 0}`}>
            <Icon name="comment" /> {times(post.commentCount)}
          </Link>
          {shareable && <RepostButton id={post.id} reposted={post.viewerHasReposted ?? false} count={post.repostCount ?? 0} />}
          {shareable && me && <QuoteLink id={post.id} />}
          {own && <DeleteButton id={post.id} leave={whole} />}
        </footer>
      </div>
    </article>
  );
}

/** The post that another one is about; it may be gone, or not for who looks. */
export function QuotedPost({ post: masked }: { post: FragmentOf<typeof QuotedPostFragment> | null }) {
  if (!masked) return <p className="quoted quiet">The quoted post is not here.</p>;
  const post = readFragment(QuotedPostFragment, masked);
  return (
    <blockquote className="quoted" aria-label={`Quoted post by ${post.author?.displayName ?? 'somebody'}`}>
      <header className="post-head">
        <Byline person={post.author} />
        <Link to={paths.post(post.id)} className="quiet post-time" aria-label="Open quoted post">
          <Ago time={post.createdAt} />
        </Link>
      </header>
      <RichText text={post.text} entities={post.entities} />
    </blockquote>
  );
}
