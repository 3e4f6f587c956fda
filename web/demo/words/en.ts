import { counter } from './forms';

const n = counter('en');

/** How a form calls the input's fields. */
const FIELDS: Record<string, string> = {
  displayName: 'The name',
  text: 'The text',
  userId: 'The person',
  postId: 'The post',
  productId: 'The product',
  quantity: 'The quantity',
  email: 'The e-mail address',
};

/**
 * All words of the demo in English: what other languages must have, too. Square brackets hold what
 * leads somewhere, see parts/filled.tsx.
 */
export const en = {
  // Everywhere
  skip: 'Skip to content',
  loading: 'Loading',
  loadingMore: 'Loading…',
  loadMore: 'Load more',
  listEnd: 'That is all.',
  tryAgain: 'Try again',
  notLoaded: 'This could not be loaded',
  notLoadedShort: 'This could not be loaded.',
  someMissing: 'Some things may be missing.',
  broken: 'This page broke',
  loadAgain: 'Load it again',
  nowhere: 'Not here',
  nothingHere: 'There is nothing here',
  wayHome: 'The way [home] is short.',
  messages: 'Messages',
  dismiss: 'Dismiss',
  back: 'Back',
  more: 'More',
  close: 'Close',
  goneSomebody: 'Somebody who is not here any more',
  now: 'now',
  view: 'View',
  undo: 'Undo',
  copyLink: 'Copy link',
  linkCopied: 'Link copied.',
  linkNotCopied: 'The link could not be copied.',
  showMore: 'Show more',

  // The frame
  home: 'Home',
  search: 'Search',
  shop: 'Shop',
  orders: 'Orders',
  notifications: 'Notifications',
  profile: 'Profile',
  analytics: 'Analytics',
  settings: 'Settings',
  logIn: 'Log in',
  signUp: 'Sign up',
  unread: (count: string) => `${count} new`,
  connection: { opening: 'Connecting', open: 'Live', lost: 'Reconnecting', offline: 'Offline' },
  offline: 'You are offline. What is here stays readable; what you write is kept.',
  waiting: (count: number) =>
    n(count, {
      one: '# action is sent when you are back.',
      other: '# actions are sent when you are back.',
    }),
  waitingStill: (count: number) =>
    n(count, {
      one: 'plaza does not answer. # action waits to be sent.',
      other: 'plaza does not answer. # actions wait to be sent.',
    }),
  waitingSent: 'What was waiting has been sent.',
  waitingFailed: (why: string) => `What was waiting could not be done. ${why}`,
  sessionEnded: 'Your session has ended. Log in again.',
  newInShop: 'New in the shop',

  // What went wrong
  unreachable: 'plaza cannot be reached right now.',
  kept: 'plaza cannot be reached right now. This is kept, and sent as soon as it can be.',
  unauthenticated: 'Log in to do this.',
  forbidden: 'This is not yours to see.',
  rateLimited: (seconds: number | undefined) =>
    seconds === undefined
      ? 'That was a lot at once. Try again in a few seconds.'
      : n(seconds, {
          one: 'That was a lot at once. Try again in # second.',
          other: 'That was a lot at once. Try again in # seconds.',
        }),
  busy: 'plaza is very busy. Try again in a moment.',
  partUnreachable: 'A part of plaza cannot be reached right now.',
  outcomeUnknown: 'It is not sure whether this was done. Try again: it will be done once.',
  internal: (requestId: string | undefined) =>
    `Something went wrong at plaza${requestId ? ` (${requestId})` : ''}.`,
  /** For an error without words of its own: plaza's. */
  failed: (message: string) => message,
  /** A refusal as a sentence: plaza's own words, which may begin with what is said of the field. */
  refusal: (_code: string, field: string, message: string) => {
    const subject = FIELDS[field] ?? `The ${field || 'input'}`;
    const whole = /^(is|are|must|may|has|have|can|cannot|needs)\b/.test(message)
      ? `${subject} ${message}`
      : message.charAt(0).toUpperCase() + message.slice(1);
    return /[.!?]$/.test(whole) ? whole : `${whole}.`;
  },

  // Writing
  writePost: 'Write a post',
  yourPost: 'Your post',
  whatIsGoingOn: 'What is going on?',
  post: 'Post',
  sending: 'Sending…',
  posted: 'Posted.',
  writeComment: 'Write a comment',
  yourComment: 'Your comment',
  sayToPost: 'Say something to this',
  comment: 'Comment',
  writeReply: 'Write a reply',
  yourReply: 'Your reply',
  sayToComment: 'Say something to this comment',
  reply: 'Reply',
  people: 'People',
  hashtags: 'Hashtags',
  suggestionCount: (count: number) => n(count, { one: '# suggestion', other: '# suggestions' }),
  images: 'Images',
  addImages: 'Add images',
  emoji: 'Emoji',
  imageTooLarge: 'An image may have 10 MB.',
  imageNotSent: 'The image could not be sent.',
  imageRefused: {
    UNSUPPORTED_FORMAT: 'This is no JPEG, PNG, WebP or GIF.',
    UNREADABLE: 'This image is broken.',
    TOO_MANY_PIXELS: 'This image has too many pixels.',
    ANIMATED: 'Moving images are not taken.',
    REJECTED: 'This image cannot be shown.',
  } as Record<string, string>,

  // Posts
  postBy: (name: string | undefined) => `Post by ${name ?? 'somebody'}`,
  quotedPostBy: (name: string | undefined) => `Quoted post by ${name ?? 'somebody'}`,
  repostedBy: 'Reposted by [somebody who is not here any more]',
  quotedGone: 'The quoted post is not here.',
  likeCount: (count: string) => `Like: ${count}`,
  commentCount: (count: string) => `Comments: ${count}`,
  repostCount: (count: string) => `Repost: ${count}`,
  quote: 'Quote',
  delete: 'Delete',
  reallyDelete: 'Delete this post? It is gone from everywhere.',
  deleted: 'Post deleted.',
  imageOf: (at: number, count: number) => `Image ${at} of ${count}`,
  altBadge: 'ALT',
  homeFeed: 'Home feed',
  quiet: 'It is quiet here',
  quietWhy:
    'Posts of the people you follow come here as they are written. [Find people], or write the first one.',
  newPosts: (count: number) => n(count, { one: '# new post', other: '# new posts' }),
  block: (handle: string) => `Block @${handle}`,
  reallyBlock: (handle: string) =>
    `Block @${handle}? You will not see each other, and neither follows the other any more.`,
  blocked: (handle: string) => `@${handle} is blocked.`,
  unblocked: (handle: string) => `@${handle} is no longer blocked.`,
  fromSeller: (handle: string | undefined) => `from ${handle ? `@${handle}` : 'somebody'}`,
  soldOutShort: 'sold out',
};
