import { useAction } from '../api/use-action';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { useSeen } from '../live/seen';
import { useMe } from '../me';
import { Link, navigate, paths } from '../router';
import { times } from './format';
import { Icon } from './icon';
import { PostImages, PostImagesFragment } from './post-images';
import { ProductCard, ProductCardFragment } from './product-card';
import { Ago, Avatar, Byline, Prose } from './small';
import { ProblemLine } from './states';

export const PostCardFragment = graphql(
  `
    fragment PostCard on Post {
      id text createdAt likeCount viewerHasLiked commentCount
      author { id handle displayName avatar { id url(size: SMALL) } }
      product { id ...ProductCard }
      ...PostImages
    }
  `,
  [ProductCardFragment, PostImagesFragment],
);

const Like = graphql(`
  mutation Like($postId: ID!) {
    postLike(input: { postId: $postId }) { post { id likeCount viewerHasLiked } userErrors { code message path } }
  }
`);

const Unlike = graphql(`
  mutation Unlike($postId: ID!) {
    postUnlike(input: { postId: $postId }) { post { id likeCount viewerHasLiked } userErrors { code message path } }
  }
`);

const Delete = graphql(`
  mutation DeletePost($postId: ID!) {
    postDelete(input: { postId: $postId }) { deletedPostId userErrors { code message path } }
  }
`);

/** A post, with what can be done with it; on its own page in full size. */
export function PostCard({ post: masked, whole = false }: { post: FragmentOf<typeof PostCardFragment>; whole?: boolean }) {
  const post = readFragment(PostCardFragment, masked);
  const me = useMe();
  const seen = useSeen(post.id);
  const { author } = post;
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
        <Prose text={post.text} />
        <PostImages post={post} />
        {post.product && <ProductCard product={post.product} small />}
        <footer className="post-foot">
          <LikeButton id={post.id} liked={post.viewerHasLiked ?? false} count={post.likeCount ?? 0} />
          <Link to={paths.post(post.id)} className="chip" aria-label={`Comments: ${post.commentCount ?? 0}`}>
            <Icon name="comment" /> {times(post.commentCount)}
          </Link>
          {me && author?.id === me.userId && <DeleteButton id={post.id} leave={whole} />}
        </footer>
      </div>
    </article>
  );
}

function LikeButton({ id, liked, count }: { id: string; liked: boolean; count: number }) {
  const me = useMe();
  const like = useAction(Like);
  const unlike = useAction(Unlike);
  const toggle = () => {
    if (!me) return navigate('/login');
    void (liked ? unlike : like).run({ postId: id });
  };
  return (
    <>
      <button type="button" className="chip chip-like" aria-pressed={liked} aria-label={`Like: ${count}`} onClick={toggle}>
        <Icon name="heart" filled={liked} /> {times(count)}
      </button>
      <ProblemLine problem={like.problem ?? unlike.problem} />
    </>
  );
}

function DeleteButton({ id, leave }: { id: string; leave: boolean }) {
  const { run, busy, problem } = useAction(Delete);
  const remove = async () => {
    if (!confirm('Delete this post? It is gone from everywhere.')) return;
    if ((await run({ postId: id })) && leave) navigate('/', { replace: true });
  };
  return (
    <>
      <button type="button" className="chip chip-end" onClick={() => void remove()} disabled={busy}>
        Delete
      </button>
      <ProblemLine problem={problem} />
    </>
  );
}
