import type { Cache, Data, ResolveInfo } from '@urql/exchange-graphcache';
import { graphql } from '../../shared/graphql';
import { edgesOf, firstPage } from './pages';

/** What the viewer's lists hang from: the viewer has no id, there is one. */
export const VIEWER = 'Query.viewer';

/** What else is written with a field; each knows its own field's data and arguments. */
export type Updaters = Record<string, (data: never, args: never, cache: Cache, info: ResolveInfo) => void>;

const CURSOR = {
  PostEdge: graphql(`fragment PostEdgeCursor on PostEdge { cursor }`),
  CommentEdge: graphql(`fragment CommentEdgeCursor on CommentEdge { cursor }`),
  NotificationEdge: graphql(`fragment NotificationEdgeCursor on NotificationEdge { cursor }`),
};

/** Makes an edge that did not come with a list. */
export function edge(cache: Cache, type: keyof typeof CURSOR, cursor: string, node: string): string {
  const key = `${type}:${cursor}`;
  cache.writeFragment<Data>(CURSOR[type], { __typename: type, cursor });
  cache.link(key, 'node', node);
  return key;
}

/** Puts something at the head of a list, if the list is loaded. */
export function prepend(cache: Cache, parent: string, field: string, type: keyof typeof CURSOR, cursor: string, node: string): void {
  const page = firstPage(cache, parent, field);
  if (page) cache.link(page, 'edges', [edge(cache, type, cursor, node), ...edgesOf(cache, page)]);
}
