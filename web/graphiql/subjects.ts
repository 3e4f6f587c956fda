/** Asks the API for something real that an example can be about. */
export type Ask = <Data>(query: string) => Promise<Data | null>;

/** What an example is sent with. */
export type Subject = (ask: Ask) => Promise<Record<string, unknown>>;

interface Page<Node> {
  nodes: Node[];
}

interface Post {
  id: string;
  repostOf: { id: string } | null;
}

/** The newest post of the viewer's home that is no repost, else the viewer's own newest. */
async function newestPost(ask: Ask): Promise<string> {
  type Data = {
    viewer: { home: Page<Post> | null; user: { posts: Page<Post> | null } | null } | null;
  };
  const post = 'nodes { id repostOf { id } }';
  const data = await ask<Data>(
    `{ viewer { home(first: 10) { ${post} } user { posts(first: 10) { ${post} } } } }`,
  );
  const posts = [data?.viewer?.home, data?.viewer?.user?.posts].flatMap(
    (page) => page?.nodes ?? [],
  );
  return posts.find(({ repostOf }) => !repostOf)?.id ?? 'log in first, or write a post';
}

export const somePost: Subject = async (ask) => ({ postId: await newestPost(ask) });

/** A text about some post, which `post` names. */
export const textAbout =
  (post: 'postId' | 'quotedPostId', text: string): Subject =>
  async (ask) => ({ input: { [post]: await newestPost(ask), text } });

export const someProduct: Subject = async (ask) => {
  const data = await ask<{ products: Page<{ id: string; stock: number }> | null }>(
    '{ products(first: 20) { nodes { id stock } } }',
  );
  const product = data?.products?.nodes.find(({ stock }) => stock > 0);
  return { productId: product?.id ?? 'nothing is for sale yet' };
};

export const lastOrder: Subject = async (ask) => {
  type Data = { viewer: { orders: Page<{ id: string }> | null } | null };
  const data = await ask<Data>('{ viewer { orders(first: 1) { nodes { id } } } }');
  return { orderId: data?.viewer?.orders?.nodes[0]?.id ?? 'log in first, or place an order' };
};

/** An order that is paid for, which alone can be refunded. */
export const confirmedOrder: Subject = async (ask) => {
  type Data = { viewer: { orders: Page<{ id: string; status: string }> | null } | null };
  const data = await ask<Data>('{ viewer { orders(first: 20) { nodes { id status } } } }');
  const order = data?.viewer?.orders?.nodes.find(({ status }) => status === 'CONFIRMED');
  return { orderId: order?.id ?? 'log in first, or wait until an order is CONFIRMED' };
};

/** A cursor with a post or two after it. */
export const cursorNearTheTop: Subject = async (ask) => {
  type Data = { viewer: { home: { edges: { cursor: string }[] } | null } | null };
  const data = await ask<Data>('{ viewer { home(first: 3) { edges { cursor } } } }');
  return { after: data?.viewer?.home?.edges.at(-1)?.cursor ?? null };
};

/** An image that whoever reads this has at hand: one of this page's own. */
export const someImage: Subject = async () => {
  const icon = await (await fetch('/icon-192.png')).blob();
  return { input: { byteCount: icon.size, altText: 'The sign of plaza', purpose: 'POST' } };
};
