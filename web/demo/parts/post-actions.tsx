import { useAction } from '../api/use-action';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { Link, navigate, paths } from '../router';
import { times } from './format';
import { Icon } from './icon';
import { ProblemLine } from './states';

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

// Not the count: it is right a moment later, and is kept here meanwhile.
const Repost = graphql(`
  mutation Repost($postId: ID!) {
    postRepost(input: { postId: $postId }) { post { id viewerHasReposted } userErrors { code message path } }
  }
`);

const Unrepost = graphql(`
  mutation Unrepost($postId: ID!) {
    postUnrepost(input: { postId: $postId }) { post { id viewerHasReposted } userErrors { code message path } }
  }
`);

const Delete = graphql(`
  mutation DeletePost($postId: ID!) {
    postDelete(input: { postId: $postId }) { deletedPostId userErrors { code message path } }
  }
`);

export function LikeButton({ id, liked, count }: { id: string; liked: boolean; count: number }) {
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

export function RepostButton({ id, reposted, count }: { id: string; reposted: boolean; count: number }) {
  const me = useMe();
  const repost = useAction(Repost);
  const unrepost = useAction(Unrepost);
  const toggle = () => {
    if (!me) return navigate('/login');
    void (reposted ? unrepost : repost).run({ postId: id });
  };
  return (
    <>
      <button type="button" className="chip chip-repost" aria-pressed={reposted} aria-label={`Repost: ${count}`} onClick={toggle}>
        <Icon name="repost" /> {times(count)}
      </button>
      <ProblemLine problem={repost.problem ?? unrepost.problem} />
    </>
  );
}

export function QuoteLink({ id }: { id: string }) {
  return (
    <Link to={paths.quote(id)} className="chip" aria-label="Quote">
      <Icon name="quote" />
    </Link>
  );
}

export function DeleteButton({ id, leave }: { id: string; leave: boolean }) {
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
