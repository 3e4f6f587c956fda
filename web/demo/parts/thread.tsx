import { useState } from 'react';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { useBlocking } from '../api/relations';
import { isUnsent } from '../api/unsent';
import { usePages } from '../api/use-pages';
import { useMe } from '../me';
import { CommentFragment } from './comment';
import { CommentComposer } from './composer';
import { Menu, type MenuItem } from './menu';
import { Ago, Avatar, Byline } from './small';
import { EndlessList, Empty } from './states';
import { RichText } from './text';
import { more, w } from '../words';

const Replies = graphql(
  `
    query Replies($id: ID!, $first: Int!, $after: String) {
      node(id: $id) {
        ... on Comment {
          id
          replies(first: $first, after: $after) {
            edges { cursor node { id ...CommentParts } }
            pageInfo { endCursor hasNextPage }
          }
        }
      }
    }
  `,
  [CommentFragment],
);

/** As plaza has it: what is this deep cannot be answered. */
const DEEPEST = 8;

/** A comment, what can be done with it, and on asking the answers to it. */
export function Thread({
  postId,
  comment: masked,
}: {
  postId: string;
  comment: FragmentOf<typeof CommentFragment>;
}) {
  const comment = readFragment(CommentFragment, masked);
  const { id, author, replyCount } = comment;
  const me = useMe();
  const [open, setOpen] = useState(false);
  const [answering, setAnswering] = useState(false);
  const { block } = useBlocking();
  const unsent = isUnsent(id);
  // Whom one blocks is gone at once, and back when it is undone.
  if (author?.viewerIsBlocking) return null;
  const items: MenuItem[] = [];
  if (me && author && author.id !== me.userId)
    items.push({
      label: w.block(author.handle),
      run: () => block(author.id, author.handle),
      grave: true,
    });
  return (
    <li className={unsent ? 'thread row-unsent' : 'thread'}>
      <div className="row">
        <Avatar
          handle={author?.handle ?? ''}
          name={author?.displayName ?? '?'}
          image={author?.avatar}
          size="s"
          linked
        />
        <div className="row-body">
          <Byline person={author} />
          <RichText text={comment.text} entities={comment.entities} />
          <footer className="post-foot">
            {replyCount > 0 && (
              <button
                type="button"
                className="chip"
                aria-expanded={open}
                onClick={() => setOpen(!open)}
              >
                {more.replyCount(replyCount)}
              </button>
            )}
            {me && !unsent && comment.depth < DEEPEST && (
              <button
                type="button"
                className="chip"
                aria-expanded={answering}
                onClick={() => setAnswering(!answering)}
              >
                {w.reply}
              </button>
            )}
          </footer>
        </div>
        <span className="quiet">
          <Ago time={comment.createdAt} />
        </span>
        <Menu label={w.more} items={items} />
      </div>
      {answering && (
        <CommentComposer
          postId={postId}
          inReplyToId={id}
          written={() => {
            setAnswering(false);
            setOpen(true);
          }}
        />
      )}
      {open && replyCount > 0 && <Answers postId={postId} id={id} to={author?.displayName} />}
    </li>
  );
}

function Answers({ postId, id, to }: { postId: string; id: string; to: string | undefined }) {
  const pages = usePages({
    query: Replies,
    variables: { id, first: 20 },
    connection: (data) => (data.node && 'replies' in data.node ? data.node.replies : null),
  });
  return (
    <div className="answers">
      <EndlessList
        pages={pages}
        label={more.repliesTo(to)}
        empty={<Empty title={more.noReplies} />}
        render={({ node }) => <Thread key={node.id} postId={postId} comment={node} />}
      />
    </div>
  );
}
