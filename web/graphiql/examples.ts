/** Asks the API for something real that an example can be about. */
export type Ask = <Data>(query: string) => Promise<Data | null>;

export interface Example {
  title: string;
  about: string;
  query: string;
  needsLogIn?: true;
  headers?: Record<string, string>;
  variables?: (ask: Ask) => Promise<Record<string, unknown>>;
}

interface Page<Node> {
  nodes: Node[];
}

/** The newest post of the viewer's home, else the viewer's own newest. */
async function somePost(ask: Ask): Promise<Record<string, unknown>> {
  type Data = {
    viewer: {
      home: Page<{ id: string }> | null;
      user: { posts: Page<{ id: string }> | null } | null;
    } | null;
  };
  const data = await ask<Data>(
    '{ viewer { home(first: 1) { nodes { id } } user { posts(first: 1) { nodes { id } } } } }',
  );
  const post = data?.viewer?.home?.nodes[0] ?? data?.viewer?.user?.posts?.nodes[0];
  return { postId: post?.id ?? 'log in first, or write a post' };
}

async function someProduct(ask: Ask): Promise<Record<string, unknown>> {
  const data = await ask<{ products: Page<{ id: string; stock: number }> | null }>(
    '{ products(first: 20) { nodes { id stock } } }',
  );
  const product = data?.products?.nodes.find(({ stock }) => stock > 0);
  return { productId: product?.id ?? 'nothing is for sale yet' };
}

async function lastOrder(ask: Ask): Promise<Record<string, unknown>> {
  type Data = { viewer: { orders: Page<{ id: string }> | null } | null };
  const data = await ask<Data>('{ viewer { orders(first: 1) { nodes { id } } } }');
  return { orderId: data?.viewer?.orders?.nodes[0]?.id ?? 'log in first, or place an order' };
}

const homeFeed = `query HomeFeed($after: String) {
  viewer {
    home(first: 20, after: $after) {
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
    query: homeFeed,
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
    title: 'Watch the home feed',
    about: 'A subscription: posts as they come. Write one as somebody you follow.',
    needsLogIn: true,
    query: `subscription HomeUpdated($after: String) {
  homeUpdated(after: $after) {
    cursor
    node { id text createdAt author { handle } }
  }
}
`,
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
    query: homeFeed,
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
