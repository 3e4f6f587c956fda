import {
  confirmedOrder,
  cursorNearTheTop,
  lastOrder,
  someImage,
  somePost,
  someProduct,
  textAbout,
  type Subject,
} from './subjects';

export interface Example {
  title: string;
  about: string;
  query: string;
  needsLogIn?: true;
  headers?: Record<string, string>;
  variables?: Subject;
}

const homeFeed = (first: number) => `query HomeFeed($after: String) {
  viewer {
    home(first: ${first}, after: $after) {
      edges {
        cursor
        node {
          id
          text
          createdAt
          author { handle displayName }
          likeCount
          viewerHasLiked
          comments(first: 3) { nodes { text author { handle } } }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
`;

const homeUpdated = `subscription HomeUpdated($after: String) {
  homeUpdated(after: $after) {
    cursor
    node { id text createdAt author { handle } }
  }
}
`;

export const EXAMPLES: readonly Example[] = [
  {
    title: 'Sign up',
    about: 'Makes an account and logs it in.',
    query: `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) {
    accessToken
    refreshToken
    viewer { user { id handle displayName } }
    userErrors { code message path }
  }
}
`,
    variables: async () => {
      const handle = `guest_${Math.random().toString(36).slice(2, 10)}`;
      return {
        input: {
          handle,
          email: `${handle}@example.org`,
          displayName: 'A guest',
          password: 'plaza-demo-1',
        },
      };
    },
  },
  {
    title: 'Log in',
    about: 'As the seeded alice. The form above does this for you, and sends the token along.',
    query: `mutation LogIn($input: LogInInput!) {
  logIn(input: $input) {
    accessToken
    expiresAt
    viewer { user { handle displayName } }
    userErrors { code message path }
  }
}
`,
    variables: async () => ({ input: { handle: 'alice', password: 'plaza-demo-1' } }),
  },
  {
    title: 'Home feed',
    about: 'What the people you follow wrote, newest first.',
    needsLogIn: true,
    query: homeFeed(20),
  },
  {
    title: 'Write a post',
    about: 'It is in every follower’s feed within moments.',
    needsLogIn: true,
    query: `mutation WritePost($input: PostCreateInput!) {
  postCreate(input: $input) {
    post { id text createdAt author { handle } }
    userErrors { code message path }
  }
}
`,
    variables: async () => ({ input: { text: 'Hello from GraphiQL' } }),
  },
  {
    title: 'Like a post',
    about: 'Sent twice it is still one like.',
    needsLogIn: true,
    query: `mutation Like($postId: ID!) {
  postLike(input: { postId: $postId }) {
    post { id likeCount viewerHasLiked }
    userErrors { code message path }
  }
}
`,
    variables: somePost,
  },
  {
    title: 'Comment on a post',
    about: 'With inReplyToId it answers another comment.',
    needsLogIn: true,
    query: `mutation Comment($input: CommentCreateInput!) {
  commentCreate(input: $input) {
    comment { id text depth createdAt author { handle } }
    userErrors { code message path }
  }
}
`,
    variables: textAbout('postId', 'Said from GraphiQL'),
  },
  {
    title: 'Repost a post',
    about: 'Into your followers’ feeds, as it is.',
    needsLogIn: true,
    query: `mutation Repost($postId: ID!) {
  postRepost(input: { postId: $postId }) {
    repost { id createdAt }
    post { id repostCount viewerHasReposted }
    userErrors { code message path }
  }
}
`,
    variables: somePost,
  },
  {
    title: 'Quote a post',
    about: 'A post of your own, with another in it.',
    needsLogIn: true,
    query: `mutation Quote($input: PostCreateInput!) {
  postCreate(input: $input) {
    post { id text quotedPost { id text author { handle } } }
    userErrors { code message path }
  }
}
`,
    variables: textAbout('quotedPostId', 'Worth reading'),
  },
  {
    title: 'Upload an image',
    about: 'Announces it; its bytes then go to uploadUrl.',
    needsLogIn: true,
    query: `# Then send the bytes to uploadUrl, exactly byteCount of them:
#   curl -O ${location.origin}/icon-192.png
#   curl -T icon-192.png '${location.origin}<uploadUrl>'
# and show the image: postCreate(input: { text, imageIds }).
mutation AnnounceImage($input: ImageCreateInput!) {
  imageCreate(input: $input) {
    image { id status }
    uploadUrl
    uploadExpiresAt
    userErrors { code message path }
  }
}
`,
    variables: someImage,
  },
  {
    title: 'Search',
    about: 'People by their names, posts and goods by their words.',
    query: `query Search($words: String!) {
  peopleSearch(query: $words, first: 3) { nodes { handle displayName } }
  postsSearch(query: $words, first: 3) { nodes { text author { handle } } }
  productsSearch(query: $words, first: 3) { nodes { title price { amount currency } } }
}
`,
    variables: async () => ({ words: 'lamp' }),
  },
  {
    title: 'Place an order',
    about: 'Answered at once, PENDING; stock and payment follow.',
    needsLogIn: true,
    query: `mutation PlaceOrder($productId: ID!) {
  orderPlace(input: { lines: [{ productId: $productId, quantity: 1 }] }) {
    order { id status total { amount currency } }
    userErrors { code message path }
  }
}
`,
    variables: someProduct,
  },
  {
    title: 'Refund an order',
    about: 'Of your orders, one that is CONFIRMED; units and money return afterwards.',
    needsLogIn: true,
    query: `mutation Refund($orderId: ID!) {
  orderRefund(input: { orderId: $orderId }) {
    order { id status nextStatuses refundableUntil }
    userErrors { code message path }
  }
}
`,
    variables: confirmedOrder,
  },
  {
    title: 'Notifications',
    about: 'What others did, put together by what they did it to.',
    needsLogIn: true,
    query: `query Notifications($after: String) {
  viewer {
    unreadNotificationCount
    notificationGroups(first: 10, after: $after) {
      nodes {
        kind
        isUnread
        actorCount
        actors { handle }
        latest { createdAt post { id text } product { id title } order { id status } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
`,
  },
  {
    title: 'Analytics',
    about: 'Views and sales of the last seven days, and what drew the most.',
    needsLogIn: true,
    query: `query Analytics {
  viewer {
    analytics {
      views(last: 7, size: DAY) { views reach windows { startsAt views viewers } }
      sales(last: 7, size: DAY) { orders units revenue { amount currency } }
      topPosts(first: 3) { views post { id text } }
      topProducts(first: 3) { orders units product { id title } }
    }
  }
}
`,
  },
  {
    title: 'Watch the home feed',
    about: 'A subscription: posts as they come. Write one as somebody you follow.',
    needsLogIn: true,
    query: homeUpdated,
  },
  {
    title: 'Go on where it ended',
    about: 'The same subscription after a cursor, here of your third newest post: none is missed.',
    needsLogIn: true,
    query: homeUpdated,
    variables: cursorNearTheTop,
  },
  {
    title: 'Watch an order',
    about: 'A subscription: your last order’s status as it changes; completes with the order.',
    needsLogIn: true,
    query: `subscription OrderUpdated($orderId: ID!, $after: String) {
  orderUpdated(orderId: $orderId, after: $after) {
    cursor
    node { id status reason nextStatuses }
  }
}
`,
    variables: lastOrder,
  },
  {
    title: 'Explain',
    about:
      'The home feed again, with Plaza-Explain: what was asked of which server, under extensions.explain.',
    needsLogIn: true,
    query: homeFeed(3),
    headers: { 'Plaza-Explain': '1' },
  },
  {
    title: 'What is left to spend',
    about: 'Every request costs points, about one for each field it may ask for.',
    query: `query Points {
  rateLimit { cost limit remaining resetAt }
}
`,
  },
];
