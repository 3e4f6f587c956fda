import { graphql, readFragment, type FragmentOf, type ResultOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { Filled } from './filled';
import { NotificationRowFragment } from './notification-fragment';
import { NotificationRow, soldOf } from './notification-row';
import { Ago, Avatar } from './small';
import { more } from '../words';

export const NotificationGroupFragment = graphql(
  `
    fragment NotificationGroupRow on NotificationGroup {
      kind actorCount notificationCount isUnread
      actors { id handle displayName avatar { id url(size: SMALL) } }
      latest { id createdAt post { id text } product { id title } ...NotificationRow }
    }
  `,
  [NotificationRowFragment],
);

/** What happened together: "A, B and 12 others like your post". Alone, it is told as it is. */
export function NotificationGroup({
  group: masked,
}: {
  group: FragmentOf<typeof NotificationGroupFragment>;
}) {
  const group = readFragment(NotificationGroupFragment, masked);
  const { latest, actors, actorCount, notificationCount, isUnread } = group;
  if (group.kind === 'ORDERED' && notificationCount > 1) return <Sales group={group} />;
  if (notificationCount === 1 || !actors || actors.length === 0)
    return <NotificationRow notification={latest} unread={isUnread} />;
  const { words, to } = inWords(group.kind, latest.post?.id, notificationCount);
  const others = actorCount - actors.length;
  return (
    <li className="row" data-unread={isUnread || undefined}>
      <span className="avatars">
        {actors.map(({ id, handle, displayName, avatar }) => (
          <Avatar key={id} handle={handle} name={displayName} image={avatar} size="s" linked />
        ))}
      </span>
      <div className="row-body">
        <p>
          {actors.map(({ id, handle, displayName }, index) => (
            <span key={id}>
              {index === 0
                ? ''
                : others === 0 && index === actors.length - 1
                  ? more.and
                  : more.comma}
              <Link to={paths.person(handle)}>
                <strong>{displayName}</strong>
              </Link>
            </span>
          ))}
          {others > 0 && more.andOthers(others)} {to ? <Link to={to}>{words}</Link> : words}
        </p>
        {latest.post && <p className="quiet clipped">{latest.post.text}</p>}
      </div>
      <span className="quiet">
        <Ago time={latest.createdAt} />
      </span>
    </li>
  );
}

/** What was sold in one day: who bought is not said. */
function Sales({
  group: { latest, notificationCount, isUnread },
}: {
  group: ResultOf<typeof NotificationGroupFragment>;
}) {
  const { product } = latest;
  const sold = soldOf(readFragment(NotificationRowFragment, latest).lines);
  return (
    <li className="row" data-unread={isUnread || undefined}>
      <Avatar handle="plaza" name="plaza" size="s" />
      <div className="row-body">
        <p>
          <Link to="/analytics">
            <strong>{more.sales(notificationCount)}</strong>
          </Link>
        </p>
        {product && (
          <p className="quiet clipped">
            <Filled
              message={more.latest}
              parts={[() => <Link to={paths.product(product.id)}>{sold ?? product.title}</Link>]}
            />
          </p>
        )}
      </div>
      <span className="quiet">
        <Ago time={latest.createdAt} />
      </span>
    </li>
  );
}

function inWords(
  kind: string,
  post: string | undefined,
  count: number,
): { words: string; to?: string | undefined } {
  const to = post ? paths.post(post) : undefined;
  switch (kind) {
    case 'FOLLOWED':
      return { words: more.followYou };
    case 'LIKED':
      return { words: more.likePost, to };
    case 'REPOST':
      return { words: more.repostedPostTogether, to };
    case 'COMMENTED':
      return { words: more.commentedTimes(count), to };
    default:
      return { words: more.partOf(count), to };
  }
}
