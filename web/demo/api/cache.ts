import {
  cacheExchange,
  type Cache,
  type CacheExchangeOpts,
  type Data,
  type ResolveInfo,
} from '@urql/exchange-graphcache';
import type { LoggedIn } from '@plaza/client';
import type { Exchange } from 'urql';
import { graphql } from '../../shared/graphql';
import type { Arrivals } from '../live/arrivals';
import { edge, prepend, VIEWER, type Updaters } from './edges';
import { afterEvents, askForStock } from './events';
import { edgesOf, everyPage, forget, pages } from './pages';
import { keepUnsent, unsentBefore, unsentId, unsentPost, viewerAs } from './unsent';

const embedded = () => null;
const byCursor = ({ cursor }: Data) => (typeof cursor === 'string' ? cursor : null);

type Input = {
  input: {
    postId: string;
    userId: string;
    text: string;
    inReplyToId?: string | null;
    quotedPostId?: string | null;
  };
};
type Answer = Record<
  string,
  | {
      post?: { id: string };
      comment?: { id: string };
      order?: { id: string };
      deletedPostId?: string;
    }
  | null
  | undefined
>;

/** The normalised cache: one copy of every post, person and order, however many lists show it. */
export function createCache(person: LoggedIn | null, arrivals: Arrivals): Exchange {
  const me = person && `User:${person.userId}`;
  return cacheExchange({
    keys: {
      // Edges that are put into lists from here need names of their own.
      PostEdge: byCursor,
      CommentEdge: byCursor,
      NotificationEdge: byCursor,
      OrderEdge: embedded,
      ProductEdge: embedded,
      UserEdge: embedded,
      PostConnection: embedded,
      CommentConnection: embedded,
      NotificationConnection: embedded,
      NotificationLine: embedded,
      NotificationGroup: embedded,
      NotificationGroupConnection: embedded,
      NotificationGroupEdge: embedded,
      NotificationPreference: ({ kind }) => (typeof kind === 'string' ? kind : null),
      OrderConnection: embedded,
      ProductConnection: embedded,
      UserConnection: embedded,
      PageInfo: embedded,
      Money: embedded,
      OrderLine: embedded,
      TextEntity: embedded,
      Hashtag: ({ name }: Data) => (typeof name === 'string' ? name : null),
      Viewer: embedded,
      ViewerAnalytics: embedded,
      ViewSeries: embedded,
      ViewWindow: embedded,
      SalesSeries: embedded,
      SalesWindow: embedded,
      TopPost: embedded,
      TopProduct: embedded,
    },
    resolvers: {
      Query: {
        posts: pages(),
        products: pages(),
        peopleSearch: pages(),
        postsSearch: pages(),
        productsSearch: pages(),
      },
      Viewer: {
        home: pages(unsentBefore),
        orders: pages(),
        notifications: pages(),
        notificationGroups: pages(),
        followRequests: pages(),
        blockedUsers: pages(),
      },
      User: {
        posts: pages((cache, edges, user) => (user === me ? unsentBefore(cache, edges) : [])),
        products: pages(),
        followers: pages(),
        following: pages(),
      },
      Post: { comments: pages(), likers: pages(), reposts: pages(), quotes: pages() },
      Comment: { replies: pages() },
      Hashtag: { posts: pages() },
    },
    optimistic: optimistic(person),
    updates: { Mutation: afterMutations(person), ...afterEvents(person, arrivals) },
  });
}

/** What is shown until plaza has answered. */
function optimistic(person: LoggedIn | null): CacheExchangeOpts['optimistic'] & object {
  const like =
    (liked: boolean, payload: string) => (args: Record<string, unknown>, cache: Cache) => {
      const id = (args as Input).input.postId;
      const post = { __typename: 'Post', id };
      const count = Number(cache.resolve(post, 'likeCount') ?? 0) + (liked ? 1 : -1);
      return {
        __typename: payload,
        userErrors: [],
        post: { ...post, viewerHasLiked: liked, likeCount: Math.max(0, count) },
      };
    };
  const repost = (reposted: boolean, payload: string) => (args: Record<string, unknown>) => {
    const post = {
      __typename: 'Post',
      id: (args as Input).input.postId,
      viewerHasReposted: reposted,
    };
    return { __typename: payload, userErrors: [], post };
  };
  const follow =
    (following: boolean, payload: string) => (args: Record<string, unknown>, cache: Cache) => {
      const user = { __typename: 'User', id: (args as Input).input.userId };
      // Somebody private is only asked.
      const asked = following && cache.resolve(user, 'isPrivate') === true;
      return {
        __typename: payload,
        userErrors: [],
        user: {
          ...user,
          viewerIsFollowing: following && !asked,
          viewerHasRequestedToFollow: asked,
        },
      };
    };
  return {
    postLike: like(true, 'PostLikePayload'),
    postUnlike: like(false, 'PostUnlikePayload'),
    postRepost: repost(true, 'PostRepostPayload'),
    postUnrepost: repost(false, 'PostUnrepostPayload'),
    userFollow: follow(true, 'UserFollowPayload'),
    userUnfollow: follow(false, 'UserUnfollowPayload'),
    postCreate: (args, cache) => ({
      __typename: 'PostCreatePayload',
      userErrors: [],
      post: unsentPost((args as Input).input, person, cache),
    }),
    commentCreate: (args, cache) => {
      const text = (args as Input).input.text.trim();
      const written = {
        text,
        createdAt: new Date().toISOString(),
        author: person && viewerAs(person, cache),
        entities: [],
        depth: 0,
        replyCount: 0,
      };
      const comment = { __typename: 'Comment', id: unsentId(text), ...written };
      return { __typename: 'CommentCreatePayload', userErrors: [], comment };
    },
  };
}

/** What a mutation changes besides what it answers. */
function afterMutations(person: LoggedIn | null): Updaters {
  const me = person && `User:${person.userId}`;
  const followed =
    (change: number) =>
    (_data: Answer, { input }: Input, cache: Cache, { optimistic }: ResolveInfo) => {
      const user = `User:${input.userId}`;
      if (change < 0 || cache.resolve(user, 'viewerIsFollowing') === true)
        count(cache, user, 'followerCount', change);
      // Not before plaza has answered: the cache holds back every query that reads what an optimistic update has touched.
      if (!optimistic) forget(cache, VIEWER, 'home');
    };
  const shared =
    (change: number) =>
    (data: Answer, { input }: Input, cache: Cache, { optimistic }: ResolveInfo) => {
      // The count at plaza is a moment behind, so it is not asked for with the answer.
      const done = data[change > 0 ? 'postRepost' : 'postUnrepost']?.post;
      if (done) count(cache, `Post:${input.postId}`, 'repostCount', change);
      if (optimistic) return;
      if (me) forget(cache, me, 'posts');
      forget(cache, `Post:${input.postId}`, 'reposts');
    };
  const liked = (_data: Answer, { input }: Input, cache: Cache, { optimistic }: ResolveInfo) => {
    if (!optimistic) forget(cache, `Post:${input.postId}`, 'likers');
  };
  // Who one blocks is nowhere any more, and the other way round.
  const blocked = (_data: Answer, { input }: Input, cache: Cache) => {
    forget(cache, VIEWER, 'home');
    forget(cache, VIEWER, 'blockedUsers');
    forget(cache, VIEWER, 'notificationGroups');
    forget(cache, VIEWER, 'notifications');
    forget(cache, `User:${input.userId}`, 'posts');
  };
  return {
    userFollow: followed(1),
    userUnfollow: followed(-1),
    postLike: liked,
    postUnlike: liked,
    postCreate: (data: Answer, { input }: Input, cache: Cache, { optimistic }: ResolveInfo) => {
      const post = data.postCreate?.post;
      if (!post) return;
      if (optimistic) return keepUnsent(cache, post.id);
      if (input.quotedPostId) {
        const quoted = `Post:${input.quotedPostId}`;
        count(cache, quoted, 'quoteCount', 1);
        prepend(cache, quoted, 'quotes', 'PostEdge', `own:${post.id}`, `Post:${post.id}`);
      }
      prepend(cache, VIEWER, 'home', 'PostEdge', `own:${post.id}`, `Post:${post.id}`);
      if (!me) return;
      prepend(cache, me, 'posts', 'PostEdge', `own:${post.id}`, `Post:${post.id}`);
      count(cache, me, 'postCount', 1);
    },
    postRepost: shared(1),
    postUnrepost: shared(-1),
    postDelete: (data: Answer, _args: Input, cache: Cache) => {
      const id = data.postDelete?.deletedPostId;
      if (!id) return;
      const quoted = cache.resolve(`Post:${id}`, 'quotedPost');
      if (typeof quoted === 'string') {
        count(cache, quoted, 'quoteCount', -1);
        remove(cache, quoted, 'quotes', `Post:${id}`);
      }
      remove(cache, VIEWER, 'home', `Post:${id}`);
      if (!me) return;
      remove(cache, me, 'posts', `Post:${id}`);
      count(cache, me, 'postCount', -1);
    },
    commentCreate: (data: Answer, { input }: Input, cache: Cache) => {
      const comment = data.commentCreate?.comment;
      if (!comment) return;
      count(cache, `Post:${input.postId}`, 'commentCount', 1);
      const [parent, field] = input.inReplyToId
        ? [`Comment:${input.inReplyToId}`, 'replies']
        : [`Post:${input.postId}`, 'comments'];
      if (input.inReplyToId) count(cache, parent, 'replyCount', 1);
      // Oldest first: it belongs at the end, if the end is loaded.
      const last = everyPage(cache, parent, field).find(
        (page) => cache.resolve(cache.resolve(page, 'pageInfo') as string, 'hasNextPage') === false,
      );
      if (last)
        cache.link(last, 'edges', [
          ...edgesOf(cache, last),
          edge(cache, 'CommentEdge', `own:${comment.id}`, `Comment:${comment.id}`),
        ]);
    },
    orderPlace: (data: Answer, _args: Input, cache: Cache) => {
      forget(cache, VIEWER, 'orders');
      const order = data.orderPlace?.order;
      if (order) askForStock(cache, `Order:${order.id}`);
    },
    notificationsMarkRead: (_data: Answer, _args: Input, cache: Cache) =>
      cache.invalidate(VIEWER, 'unreadNotificationCount'),
    notificationPreferencesUpdate: (_data: Answer, _args: Input, cache: Cache) => {
      cache.invalidate(VIEWER, 'unreadNotificationCount');
      forget(cache, VIEWER, 'notificationGroups');
      forget(cache, VIEWER, 'notifications');
    },
    sessionRevoke: (_data: Answer, _args: Input, cache: Cache) =>
      cache.invalidate(VIEWER, 'sessions'),
    sessionRevokeOthers: (_data: Answer, _args: Input, cache: Cache) =>
      cache.invalidate(VIEWER, 'sessions'),
    userBlock: blocked,
    userUnblock: blocked,
    // Not asked for again: the list at plaza is a moment behind.
    followRequestAccept: (_data: Answer, { input }: Input, cache: Cache) =>
      remove(cache, VIEWER, 'followRequests', `User:${input.userId}`),
    followRequestReject: (_data: Answer, { input }: Input, cache: Cache) =>
      remove(cache, VIEWER, 'followRequests', `User:${input.userId}`),
  };
}

const COUNT = {
  followerCount: graphql(`fragment FollowerCount on User { id followerCount }`),
  postCount: graphql(`fragment PostCount on User { id postCount }`),
  repostCount: graphql(`fragment RepostCount on Post { id repostCount }`),
  quoteCount: graphql(`fragment QuoteCount on Post { id quoteCount }`),
  replyCount: graphql(`fragment ReplyCount on Comment { id replyCount }`),
  commentCount: graphql(`fragment CommentCount on Post { id commentCount }`),
};

function remove(cache: Cache, parent: string, field: string, node: string): void {
  for (const page of everyPage(cache, parent, field)) {
    const left = edgesOf(cache, page).filter((each) => cache.resolve(each, 'node') !== node);
    cache.link(page, 'edges', left);
  }
}

/** Adds to a count, where it is known. */
function count(cache: Cache, entity: string, field: keyof typeof COUNT, change: number): void {
  const before = cache.resolve(entity, field);
  if (typeof before !== 'number') return;
  const [typename = '', id = ''] = entity.split(/:(.*)/s);
  cache.writeFragment<Data>(COUNT[field], {
    __typename: typename,
    id,
    [field]: Math.max(0, before + change),
  });
}
