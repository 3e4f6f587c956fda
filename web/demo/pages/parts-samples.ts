import type { CombinedError } from 'urql';
import type { FragmentOf } from '../../shared/graphql';
import type { CommentFragment } from '../parts/comment';
import type { NotificationRowFragment } from '../parts/notification-fragment';
import type { NotificationGroupFragment } from '../parts/notification-group';
import type { OrderCardFragment } from '../parts/order-card';
import type { PersonRowFragment } from '../parts/person-row';
import type { PostCardFragment } from '../parts/post-card';
import type { ProductCardFragment } from '../parts/product-card';

/** What the page of parts shows: people's words, which no language changes. */
export const INES = {
  id: 'sample-ines',
  handle: 'ines',
  displayName: 'Inês Duarte',
  bio: 'Bowls, cups and the odd plate.',
  isPrivate: false,
  avatar: null,
};
export const TOMAS = {
  ...INES,
  id: 'sample-tomas',
  handle: 'tomas',
  displayName: 'Tomás Reyes',
  bio: '',
};

const AT = '2026-01-02T09:30:00Z';

const bowl = {
  id: 'sample-bowl',
  title: 'Glazed bowl, sea green',
  stock: 3,
  price: { amount: '3400', currency: 'EUR' },
  seller: INES,
};

type Product = FragmentOf<typeof ProductCardFragment>;
export const PRODUCTS = {
  'stock > 0': bowl as unknown as Product,
  'stock = 0': { ...bowl, id: 'sample-cup', stock: 0 } as unknown as Product,
};

export const PEOPLE = [INES, TOMAS].map(
  (person) => person as unknown as FragmentOf<typeof PersonRowFragment>,
);

/** An image without a file. */
const tint = (color: string, altText: string) => {
  const size = 'width="640" height="480"';
  const rect = `<rect ${size} fill="${color}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${rect}</svg>`;
  const url = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return { id: `sample-${color}`, altText, width: 640, height: 480, color, url, small: null };
};
const IMAGES = [tint('#0e5f52', 'Green'), tint('#f3c14b', ''), tint('#b8322f', 'Red')];

const written = {
  id: 'sample-post',
  text: 'The kiln is open. #pottery @tomas https://example.org/kiln',
  createdAt: AT,
  likeCount: 0,
  viewerHasLiked: false,
  commentCount: 2,
  repostCount: 0,
  viewerHasReposted: false,
  isQuote: false,
  author: INES,
  entities: [
    { kind: 'HASHTAG', start: 18, end: 26, hashtag: 'pottery', user: null },
    { kind: 'MENTION', start: 27, end: 33, hashtag: null, user: TOMAS },
  ],
  product: null,
  quotedPost: null,
  images: [] as typeof IMAGES,
  repostOf: null as object | null,
};
type Post = FragmentOf<typeof PostCardFragment>;
const post = (changes: object) => ({ ...written, ...changes }) as unknown as Post;
export const POSTS = {
  viewerHasLiked: post({ viewerHasLiked: true, likeCount: 12 }),
  viewerHasReposted: post({ viewerHasReposted: true, repostCount: 1_250 }),
  product: post({ product: bowl }),
  quotedPost: post({ isQuote: true, author: TOMAS, quotedPost: written }),
  'quotedPost = null': post({ isQuote: true }),
  repostOf: post({ id: 'sample-repost', author: TOMAS, repostOf: written }),
  'author = null': post({ author: null }),
  'text.length': post({ text: 'Bowl.\n'.repeat(20), entities: [] }),
  unsent: post({ id: 'unsent:sample' }),
  'images.length = 1': post({ images: IMAGES.slice(0, 1) }),
  'images.length = 2': post({ images: IMAGES.slice(0, 2) }),
  'images.length = 3': post({ images: IMAGES }),
};

const comment = {
  id: 'sample-comment',
  text: 'The green one, please.',
  createdAt: AT,
  depth: 0,
  replyCount: 0,
  author: TOMAS,
  entities: [],
};
type Comment = FragmentOf<typeof CommentFragment>;
export const COMMENTS = {
  'replyCount = 0': comment as unknown as Comment,
  'replyCount = 2': { ...comment, id: 'sample-two', replyCount: 2 } as unknown as Comment,
  unsent: { ...comment, id: 'unsent:sample' } as unknown as Comment,
};

export const STATUSES = [
  'PENDING',
  'RESERVED',
  'PAID',
  'CONFIRMED',
  'REJECTED',
  'CANCELLED',
  'REFUNDING',
  'REFUNDED',
] as const;
const NEXT: Partial<Record<(typeof STATUSES)[number], string[]>> = {
  PENDING: ['RESERVED', 'CANCELLED'],
  CONFIRMED: ['REFUNDING'],
};
export const orderOf = (status: (typeof STATUSES)[number]) =>
  ({
    id: `sample-${status}`,
    status,
    reason: status === 'REJECTED' ? 'OUT_OF_STOCK' : null,
    createdAt: AT,
    nextStatuses: NEXT[status] ?? [],
    isSettled: true,
    refundableUntil: null,
    history: [{ status, at: AT }],
    total: { amount: '6800', currency: 'EUR' },
    lines: [{ quantity: 2, unitPrice: bowl.price, title: bowl.title, product: bowl }],
  }) as unknown as FragmentOf<typeof OrderCardFragment>;

export const KINDS = [
  'FOLLOWED',
  'FOLLOW_ACCEPTED',
  'FOLLOW_REQUESTED',
  'LIKED',
  'COMMENTED',
  'MENTION',
  'REPLY',
  'REPOST',
  'QUOTE',
  'ORDERED',
  'ORDER_CONFIRMED',
  'ORDER_REJECTED',
  'ORDER_REFUNDED',
] as const;
const happened = (kind: (typeof KINDS)[number]) => ({
  id: `sample-${kind}`,
  kind,
  createdAt: AT,
  actor: kind.startsWith('ORDER') ? null : TOMAS,
  post: { id: 'sample-post', text: written.text },
  comment: { id: 'sample-comment', text: comment.text },
  order: null,
  product: bowl,
});
export const notificationOf = (kind: (typeof KINDS)[number]) =>
  happened(kind) as unknown as FragmentOf<typeof NotificationRowFragment>;

const group = (kind: (typeof KINDS)[number], actorCount: number, isUnread: boolean) =>
  ({
    kind,
    actorCount,
    notificationCount: 14,
    isUnread,
    actors: [INES, TOMAS],
    latest: happened(kind),
  }) as unknown as FragmentOf<typeof NotificationGroupFragment>;
export const GROUPS = [
  group('LIKED', 2, true),
  group('FOLLOWED', 14, false),
  group('COMMENTED', 5, false),
  group('ORDERED', 14, false),
];

export const BARS = [3, 0, 5, 8, 13, 2, 7].map((value, index) => ({
  startsAt: `2026-01-0${index + 1}T00:00:00Z`,
  value,
}));

/** As urql has it when plaza is out of reach. */
export const UNREACHABLE = {
  name: 'CombinedError',
  message: '',
  graphQLErrors: [],
  networkError: new Error('offline'),
} as unknown as CombinedError;
