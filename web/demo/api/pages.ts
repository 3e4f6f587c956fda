import { stringifyVariables } from '@urql/core';
import type { Cache, Resolver } from '@urql/exchange-graphcache';

/**
 * Shows a connection's pages as one list, for `first`/`after`.
 *
 * In place of graphcache's `relayPagination`, which passes over a page without edges together with its cursor (plaza has such pages: all rows hidden
 * from the viewer) and keeps pages that no longer follow from the first one after that was asked for anew. Here a page counts when the page before it
 * ends where it begins.
 *
 * `before` says what stands before its edges, for who shows it.
 */
export function pages(
  before?: (cache: Cache, edges: readonly string[], parent: string) => string[],
): Resolver {
  return (_parent, { after, ...list }, cache, { parentKey, fieldName }) => {
    const loaded = loadedPages(cache, parentKey, fieldName, list);
    const asked = loaded.get(cursorOrNull(after));
    // Not there yet, or known to be null: graphcache looks further by itself.
    if (!asked) return undefined;

    const edges: string[] = [];
    const seen = new Set<unknown>();
    let cursor: string | null = null;
    let hasNextPage = false;
    const typename = cache.resolve(asked, '__typename') as string;
    for (let page = loaded.get(null); page; page = hasNextPage ? loaded.get(cursor) : undefined) {
      loaded.delete(cursor);
      for (const edge of edgesOf(cache, page)) {
        const node = cache.resolve(edge, 'node');
        if (seen.has(node)) continue;
        seen.add(node);
        edges.push(edge);
      }
      const info = cache.resolve(page, 'pageInfo') as string;
      cursor = cursorOrNull(cache.resolve(info, 'endCursor'));
      hasNextPage = cache.resolve(info, 'hasNextPage') === true && cursor !== null;
    }
    // Read, and missed, so that the first page's query runs again when the next page comes.
    if (hasNextPage) cache.resolve(parentKey, fieldName, { ...list, after: cursor });
    return {
      __typename: typename,
      edges: before ? [...before(cache, edges, parentKey), ...edges] : edges,
      pageInfo: { __typename: 'PageInfo', endCursor: cursor, hasNextPage },
    };
  };
}

/** The first page of a list; undefined when the list was not loaded. */
export function firstPage(cache: Cache, parent: string, field: string): string | undefined {
  return loadedPages(cache, parent, field).get(null);
}

/** Every page of a list that was loaded. */
export function everyPage(cache: Cache, parent: string, field: string): string[] {
  return [...loadedPages(cache, parent, field).values()];
}

export function edgesOf(cache: Cache, page: string): string[] {
  return (cache.resolve(page, 'edges') as string[] | null | undefined) ?? [];
}

/** Forgets a list: whoever shows it loads it again. */
export function forget(cache: Cache, parent: string, field: string): void {
  for (const { fieldName, arguments: args } of cache.inspectFields(parent)) {
    if (fieldName === field) cache.invalidate(parent, fieldName, args);
  }
}

/** Pages by the cursor they come after; of one list, when that is said: of one size, one search, one order. */
function loadedPages(
  cache: Cache,
  parent: string,
  field: string,
  list?: Record<string, unknown>,
): Map<string | null, string> {
  const pages = new Map<string | null, string>();
  const asked = list && stringifyVariables(list);
  for (const { fieldName, fieldKey, arguments: args } of cache.inspectFields(parent)) {
    const { after, ...rest } = args ?? {};
    const wanted =
      fieldName === field && (asked === undefined || stringifyVariables(rest) === asked);
    const page = wanted ? cache.resolve(parent, fieldKey) : null;
    if (typeof page === 'string') pages.set(cursorOrNull(after), page);
  }
  return pages;
}

function cursorOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
