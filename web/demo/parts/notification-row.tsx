import { useQuery } from 'urql';
import { useAction } from '../api/use-action';
import { graphql, readFragment, type FragmentOf, type ResultOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { NotificationRowFragment } from './notification-fragment';
import { Ago, Avatar } from './small';
import { more } from '../words';

type Told = ResultOf<typeof NotificationRowFragment>;

const Accept = graphql(`
  mutation AcceptFollow($userId: ID!) {
    followRequestAccept(input: { userId: $userId }) { user { id } userErrors { code message path } }
  }
`);

const Reject = graphql(`
  mutation RejectFollow($userId: ID!) {
    followRequestReject(input: { userId: $userId }) { user { id } userErrors { code message path } }
  }
`);

/** One thing that happened to the viewer, and where it leads. */
export function NotificationRow({
  notification,
  unread = false,
}: {
  notification: FragmentOf<typeof NotificationRowFragment>;
  unread?: boolean;
}) {
  const told = readFragment(NotificationRowFragment, notification);
  const { words, about, to } = tell(told);
  return (
    <li className="row" data-unread={unread || undefined}>
      <Avatar
        handle={told.actor?.handle ?? 'plaza'}
        name={told.actor?.displayName ?? 'plaza'}
        image={told.actor?.avatar}
        size="s"
        linked={told.actor !== null}
      />
      <div className="row-body">
        <p>
          {told.actor && (
            <Link to={paths.person(told.actor.handle)}>
              <strong>{told.actor.displayName}</strong>
            </Link>
          )}{' '}
          {to ? <Link to={to}>{words}</Link> : words}
        </p>
        {about && <p className="quiet clipped">{about}</p>}
        {told.kind === 'FOLLOW_REQUESTED' && told.actor && (
          <PendingRequest userId={told.actor.id} />
        )}
      </div>
      <span className="quiet">
        <Ago time={told.createdAt} />
      </span>
    </li>
  );
}

/** "2 × Bowl, 1 × Cup": all that an order has bought of the viewer. */
export function soldOf(lines: Told['lines']): string | undefined {
  const named = (lines ?? []).flatMap(({ quantity, product }) =>
    product ? more.piecesOf(quantity, product.title) : [],
  );
  return named.length > 0 ? named.join(more.comma) : undefined;
}

function tell({ kind, post, comment, product, lines, actor }: Told): {
  words: string;
  about?: string | undefined;
  to?: string | undefined;
} {
  const toPost = post ? paths.post(post.id) : undefined;
  switch (kind) {
    case 'FOLLOWED':
      return { words: more.followsYou, to: actor ? paths.person(actor.handle) : undefined };
    case 'FOLLOW_ACCEPTED':
      return { words: more.acceptedRequest, to: actor ? paths.person(actor.handle) : undefined };
    case 'FOLLOW_REQUESTED':
      return { words: more.asksToFollow };
    case 'LIKED':
      return { words: more.likesPost, about: post?.text, to: toPost };
    case 'COMMENTED':
      return { words: more.commentedPost, about: comment?.text, to: toPost };
    case 'MENTION':
      return { words: more.mentionedYou, about: comment?.text ?? post?.text, to: toPost };
    case 'REPLY':
      return { words: more.repliedToYou, about: comment?.text, to: toPost };
    case 'REPOST':
      return { words: more.repostedPost, about: post?.text, to: toPost };
    case 'QUOTE':
      return { words: more.quotedPost, about: post?.text, to: toPost };
    case 'ORDERED':
      return {
        words: actor ? more.boughtFromYou : more.somebodyBought,
        about: soldOf(lines) ?? product?.title,
        to: product ? paths.product(product.id) : undefined,
      };
    case 'ORDER_CONFIRMED':
      return { words: more.orderConfirmed, to: '/orders' };
    case 'ORDER_REJECTED':
      return { words: more.orderRejected, to: '/orders' };
    case 'ORDER_REFUNDED':
      return product
        ? {
            words: more.saleRefunded,
            about: soldOf(lines) ?? product.title,
            to: paths.product(product.id),
          }
        : { words: more.orderRefunded, to: '/orders' };
  }
}

const Pending = graphql(
  `query PendingRequests { viewer { followRequests(first: 100) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } } } }`,
);

/** A request that came some time ago: it can be answered as long as it stands. */
function PendingRequest({ userId }: { userId: string }) {
  const [{ data }] = useQuery({ query: Pending });
  const pending = data?.viewer?.followRequests;
  if (!pending) return null;
  if (!pending.pageInfo.hasNextPage && !pending.edges.some(({ node }) => node.id === userId))
    return <p className="quiet">{more.answered}</p>;
  return <AnswerRequest userId={userId} />;
}

/** What a private person says to who asks to follow them. */
export function AnswerRequest({ userId }: { userId: string }) {
  const accept = useAction(Accept, { aloud: true, durable: true });
  const reject = useAction(Reject, { aloud: true, durable: true });
  const busy = accept.busy || reject.busy;
  return (
    <div className="buttons">
      <button
        type="button"
        className="button"
        disabled={busy}
        onClick={() => void accept.run({ userId })}
      >
        {more.accept}
      </button>
      <button
        type="button"
        className="button button-quiet"
        disabled={busy}
        onClick={() => void reject.run({ userId })}
      >
        {more.decline}
      </button>
    </div>
  );
}
