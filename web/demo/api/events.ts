import type { LoggedIn } from '@plaza/client';
import type { Cache, Data } from '@urql/exchange-graphcache';
import { graphql } from '../../shared/graphql';
import type { Arrivals } from '../live/arrivals';
import { edge, insert, newestFirst, timeOf, VIEWER, type Updaters } from './edges';
import { edgesOf, everyPage, firstPage, forget } from './pages';

interface Told {
  cursor: string;
  node: { id: string };
}

interface List {
  field: 'home' | 'notifications';
  edge: 'PostEdge' | 'NotificationEdge';
  node: 'Post' | 'Notification';
}

const HOME: List = { field: 'home', edge: 'PostEdge', node: 'Post' };
const NOTIFICATIONS: List = {
  field: 'notifications',
  edge: 'NotificationEdge',
  node: 'Notification',
};

/** Most that is kept for a list that nobody has opened. */
const KEPT = 50;

/**
 * What is told over the socket goes where it would be after a reload: to the head of its list. What is told before the list is there may be
 * missing in it, since replicas are a moment behind; it is put in when the list comes.
 */
export function afterEvents(
  person: LoggedIn | null,
  arrivals: Arrivals,
): Record<'Subscription' | 'Viewer', Updaters> {
  return {
    Subscription: {
      homeUpdated: ({ homeUpdated: told }: { homeUpdated: Told }, _args: unknown, cache: Cache) => {
        if (!firstPage(cache, VIEWER, 'home')) return keep(cache, HOME, told);
        if (isListed(cache, HOME, told)) return;
        if (isFurtherDown(cache, told)) return;
        // Held back before it is in the list: it must not flash up before the reader has asked for it.
        // One's own is what one has just written: it may be told before the answer is there.
        const author = cache.resolve(`Post:${told.node.id}`, 'author');
        if (author !== `User:${person?.userId}`) arrivals.hold(told.node.id);
        insert(cache, VIEWER, 'home', 'PostEdge', told.cursor, `Post:${told.node.id}`);
      },
      // Pieces were taken from the shelf, or put back: what it says is old.
      orderUpdated: (
        { orderUpdated: told }: { orderUpdated: Told },
        _args: unknown,
        cache: Cache,
      ) => askForStock(cache, `Order:${told.node.id}`),
      notificationReceived: (
        { notificationReceived: told }: { notificationReceived: Told },
        _args: unknown,
        cache: Cache,
      ) => {
        cache.invalidate(VIEWER, 'unreadNotificationCount');
        forget(cache, VIEWER, 'notificationGroups');
        const notification = `Notification:${told.node.id}`;
        if (cache.resolve(notification, 'kind') === 'FOLLOW_ACCEPTED')
          accepted(cache, cache.resolve(notification, 'actor'));
        if (!firstPage(cache, VIEWER, 'notifications')) return keep(cache, NOTIFICATIONS, told);
        if (isListed(cache, NOTIFICATIONS, told)) return;
        insert(cache, VIEWER, 'notifications', 'NotificationEdge', told.cursor, notification);
      },
    },
    Viewer: {
      home: (_data: unknown, _args: unknown, cache: Cache) => takeIn(cache, HOME),
      notifications: (_data: unknown, _args: unknown, cache: Cache) => takeIn(cache, NOTIFICATIONS),
    },
  };
}

const FOLLOWING = graphql(`
  fragment AcceptedFollow on User { id viewerIsFollowing viewerHasRequestedToFollow }
`);

/** The viewer follows now whom they had asked, and may see their posts. */
function accepted(cache: Cache, user: unknown): void {
  if (typeof user !== 'string') return;
  cache.writeFragment<Data>(FOLLOWING, {
    __typename: 'User',
    id: user.replace(/^User:/, ''),
    viewerIsFollowing: true,
    viewerHasRequestedToFollow: false,
  });
  forget(cache, user, 'posts');
  forget(cache, VIEWER, 'home');
}

/** The stock of what an order is of is asked for again, where it is shown. */
export function askForStock(cache: Cache, order: string): void {
  for (const line of (cache.resolve(order, 'lines') as string[] | null | undefined) ?? []) {
    const product = cache.resolve(line, 'product');
    if (typeof product === 'string') cache.invalidate(product, 'stock');
  }
}

function isListed(cache: Cache, { field, node }: List, told: Told): boolean {
  const key = `${node}:${told.node.id}`;
  return everyPage(cache, VIEWER, field).some((page) =>
    edgesOf(cache, page).some((each) => cache.resolve(each, 'node') === key),
  );
}

/** Older than all that is loaded, and there is more: the next page brings it. */
function isFurtherDown(cache: Cache, told: Told): boolean {
  const time = Date.parse(cache.resolve(`Post:${told.node.id}`, 'createdAt') as string);
  const pages = everyPage(cache, VIEWER, 'home');
  const more = pages.some(
    (page) => cache.resolve(cache.resolve(page, 'pageInfo') as string, 'hasNextPage') === true,
  );
  const oldest = Math.min(
    ...pages.flatMap((page) => edgesOf(cache, page)).map((each) => timeOf(cache, each)),
  );
  return more && time < oldest;
}

/** Linked from the root, under a name of our own: the cache drops what nothing leads to. */
function keep(cache: Cache, list: List, told: Told): void {
  const kept = newestFirst(cache, [
    edge(cache, list.edge, told.cursor, `${list.node}:${told.node.id}`),
    ...early(cache, list),
  ]);
  cache.link('Query', `early:${list.field}`, kept.slice(0, KEPT));
}

function early(cache: Cache, { field }: List): string[] {
  return (cache.resolve('Query', `early:${field}`) as string[] | undefined) ?? [];
}

/** What is newer than the list's first came after the list was read; all else is in the list, or further down. */
function takeIn(cache: Cache, list: List): void {
  const page = firstPage(cache, VIEWER, list.field);
  const kept = early(cache, list);
  if (!page || kept.length === 0) return;
  const edges = edgesOf(cache, page);
  const newest = edges[0] ? timeOf(cache, edges[0]) : 0;
  cache.link('Query', `early:${list.field}`, []);
  cache.link(page, 'edges', [...kept.filter((each) => timeOf(cache, each) > newest), ...edges]);
}
