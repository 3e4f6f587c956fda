import type { LoggedIn } from '@plaza/client';
import type { Cache, Data } from '@urql/exchange-graphcache';
import { edge } from './edges';

const PREFIX = 'unsent:';
/** Linked from the root, under a name of our own, by optimistic updates alone: it goes with them. */
const LIST = 'unsent:posts';

/** Whether something is shown that plaza has not taken yet. */
export const isUnsent = (id: string): boolean => id.startsWith(PREFIX);

/** The same text at the same place is the same thing, sent again. */
export const unsentId = (text: string): string => PREFIX + text;

/**
 * The viewer as the author of what is not sent yet. What the cache knows of them stays as it is:
 * it holds back queries that read what has changed, and all that shows the viewer would wait.
 */
export function viewerAs(person: LoggedIn, cache: Cache): Data {
  const key = `User:${person.userId}`;
  const known = (field: string, otherwise: string | boolean) => {
    const value = cache.resolve(key, field);
    return typeof value === typeof otherwise ? (value as string | boolean) : otherwise;
  };
  return {
    __typename: 'User',
    id: person.userId,
    handle: known('handle', person.handle),
    displayName: known('displayName', person.displayName),
    isPrivate: known('isPrivate', false),
    viewerIsBlocking: null,
    // A picture that is known stays.
    ...(cache.resolve(key, 'avatar') === undefined && { avatar: null }),
  };
}

interface Written {
  text: string;
  quotedPostId?: string | null;
}

/** A post until plaza has answered: its images and its product come with the answer. */
export function unsentPost(input: Written, person: LoggedIn | null, cache: Cache): Data {
  const text = input.text.trim();
  const quoted = input.quotedPostId ? `Post:${input.quotedPostId}` : null;
  // A post of which the cache lacks something would keep the whole list from being shown.
  const isKnown = quoted !== null && cache.resolve(quoted, 'entities') !== undefined;
  return {
    __typename: 'Post',
    id: unsentId(text),
    text,
    createdAt: new Date().toISOString(),
    author: person && viewerAs(person, cache),
    entities: [],
    images: [],
    product: null,
    repostOf: null,
    isQuote: isKnown,
    quotedPost: isKnown ? { __typename: 'Post', id: input.quotedPostId } : null,
    likeCount: 0,
    viewerHasLiked: false,
    commentCount: 0,
    repostCount: 0,
    viewerHasReposted: false,
  };
}

const listed = (cache: Cache) => (cache.resolve('Query', LIST) as string[] | undefined) ?? [];

/** Keeps an unsent post for the head of the lists that it belongs to, see `ahead`. */
export function keepUnsent(cache: Cache, id: string): void {
  const [own, others] = [edge(cache, 'PostEdge', `own:${id}`, `Post:${id}`), listed(cache)];
  cache.link('Query', LIST, [own, ...others.filter((each) => each !== own)]);
}

/**
 * What of one's own stands before a list's edges: whatever is not sent, but for what the list has.
 * plaza may have taken it and told of it before its answer is there, or the answer was lost.
 */
export function unsentBefore(cache: Cache, edges: readonly string[]): string[] {
  const nodeOf = (each: string) => cache.resolve(each, 'node') as string;
  const isSame = (a: string, b: string) =>
    ['text', 'author'].every((field) => cache.resolve(a, field) === cache.resolve(b, field));
  return listed(cache).filter(
    (unsent) => !edges.some((each) => isSame(nodeOf(each), nodeOf(unsent))),
  );
}
