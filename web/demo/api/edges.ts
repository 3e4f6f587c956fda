import type { Cache, Data, ResolveInfo } from '@urql/exchange-graphcache';
import { graphql } from '../../shared/graphql';
import { edgesOf, firstPage } from './pages';

/** What the viewer's lists hang from: the viewer has no id, there is one. */
export const VIEWER = 'Query.viewer';

/** What else is written with a field; each knows its own field's data and arguments. */
export type Updaters = Record<
  string,
  (data: never, args: never, cache: Cache, info: ResolveInfo) => void
>;

const CURSOR = {
  PostEdge: graphql(`fragment PostEdgeCursor on PostEdge { cursor }`),
  CommentEdge: graphql(`fragment CommentEdgeCursor on CommentEdge { cursor }`),
  NotificationEdge: graphql(`fragment NotificationEdgeCursor on NotificationEdge { cursor }`),
};

/** Makes an edge that did not come with a list. */
export function edge(
  cache: Cache,
  type: keyof typeof CURSOR,
  cursor: string,
  node: string,
): string {
  const key = `${type}:${cursor}`;
  cache.writeFragment<Data>(CURSOR[type], { __typename: type, cursor });
  cache.link(key, 'node', node);
  return key;
}

/** Puts something at the head of a list, if the list is loaded. */
export function prepend(
  cache: Cache,
  parent: string,
  field: string,
  type: keyof typeof CURSOR,
  cursor: string,
  node: string,
): void {
  const page = firstPage(cache, parent, field);
  if (page) cache.link(page, 'edges', [edge(cache, type, cursor, node), ...edgesOf(cache, page)]);
}

/**
 * Puts something that was told into a list that is newest first, where its time says: posts that follow each other within milliseconds may be
 * told in another order, and the list must be what it will be when it is read again.
 */
export function insert(
  cache: Cache,
  parent: string,
  field: string,
  type: keyof typeof CURSOR,
  cursor: string,
  node: string,
): void {
  const page = firstPage(cache, parent, field);
  if (!page) return;
  const told = edge(cache, type, cursor, node);
  cache.link(page, 'edges', newestFirst(cache, [told, ...edgesOf(cache, page)]));
}

/** Moves the first of these below all that are newer; the others are in order. What has no time stays where it is. */
export function newestFirst(cache: Cache, edges: string[]): string[] {
  const [first, ...rest] = edges;
  if (first === undefined) return edges;
  const time = timeOf(cache, first);
  const place = rest.findIndex((each) => !(timeOf(cache, each) > time));
  const at = place < 0 ? rest.length : place;
  return [...rest.slice(0, at), first, ...rest.slice(at)];
}

export function timeOf(cache: Cache, edge: string): number {
  return Date.parse(cache.resolve(cache.resolve(edge, 'node') as string, 'createdAt') as string);
}
