import { useAction } from '../api/use-action';
import { copyLink, useBlocking } from '../api/relations';
import { toast } from '../live/toasts';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { Link, navigate, paths, toLogIn } from '../router';
import { times } from './format';
import { Icon } from './icon';
import { Menu, type MenuItem } from './menu';
import { w } from '../words';

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
  const like = useAction(Like, { aloud: true, durable: true });
  const unlike = useAction(Unlike, { aloud: true, durable: true });
  const toggle = () => {
    if (!me) return navigate(toLogIn());
    void (liked ? unlike : like).run({ postId: id });
  };
  return (
    <button
      type="button"
      className="chip chip-like"
      aria-pressed={liked}
      aria-label={w.likeCount(times(count))}
      onClick={toggle}
    >
      <Icon name="heart" filled={liked} /> {times(count)}
    </button>
  );
}

export function RepostButton({
  id,
  reposted,
  count,
}: {
  id: string;
  reposted: boolean;
  count: number;
}) {
  const me = useMe();
  const repost = useAction(Repost, { aloud: true, durable: true });
  const unrepost = useAction(Unrepost, { aloud: true, durable: true });
  const toggle = () => {
    if (!me) return navigate(toLogIn());
    void (reposted ? unrepost : repost).run({ postId: id });
  };
  return (
    <button
      type="button"
      className="chip chip-repost"
      aria-pressed={reposted}
      aria-label={w.repostCount(times(count))}
      onClick={toggle}
    >
      <Icon name="repost" /> {times(count)}
    </button>
  );
}

export function QuoteLink({ id }: { id: string }) {
  return (
    <Link to={paths.quote(id)} className="chip" aria-label={w.quote}>
      <Icon name="quote" />
    </Link>
  );
}

interface PostMenuProps {
  id: string;
  author: { id: string; handle: string } | null;
  own: boolean;
  /** The page goes with the post. */
  leave: boolean;
}

/** What is done with a post now and then. */
export function PostMenu({ id, author, own, leave }: PostMenuProps) {
  const me = useMe();
  const { run } = useAction(Delete, { aloud: true, durable: true });
  const { block } = useBlocking();
  const remove = async () => {
    if (!confirm(w.reallyDelete)) return;
    if (!(await run({ postId: id }))) return;
    toast('done', w.deleted);
    if (leave) navigate('/', { replace: true });
  };
  const items: MenuItem[] = [{ label: w.copyLink, run: () => void copyLink(paths.post(id)) }];
  if (own) items.push({ label: w.delete, run: () => void remove(), grave: true });
  else if (me && author)
    items.push({
      label: w.block(author.handle),
      run: () => block(author.id, author.handle),
      grave: true,
    });
  return <Menu label={w.more} items={items} />;
}
