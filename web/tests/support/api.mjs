// What the tests need that a person would not do in a browser: people, goods, and others' deeds, through the API alone.
import { randomBytes } from 'node:crypto';

export const PLAZA_URL = (process.env.PLAZA_URL ?? 'http://127.0.0.1:4000').replace(/\/$/, '');
/** The admin port, where operators look. */
export const ADMIN_URL = (process.env.PLAZA_ADMIN_URL ?? 'http://127.0.0.1:4201').replace(
  /\/$/,
  '',
);
export const PASSWORD = 'a-long-enough-password';

export const unique = (prefix) => `${prefix}_${randomBytes(4).toString('hex')}`;

/** The header, and where the front end keeps it for its tab. */
export const CONSISTENCY = 'Plaza-Consistency';
/**
 * What was written, by tokens of which none is known to hold another: of requests that ran side by
 * side, neither knew of the other.
 */
let tokens = [];

/** Remembers what an answer says of its writes: its token holds those that its request had. */
export function noteWrites(sent, answered) {
  if (!answered) return;
  const within = new Set([...(sent?.split(', ') ?? []), answered]);
  tokens = [...tokens.filter((token) => !within.has(token)), answered];
}

/**
 * A consistency token of everything written so far, or several. Pages are opened with it: who has
 * written nothing may be shown what a replica has, and a page that came too early would be waited
 * for in vain.
 */
export const allWrites = () => tokens.join(', ');

/** The answer's data; throws on an error, and on a refusal. */
export async function ask(query, variables = {}, token = undefined) {
  const sent = allWrites();
  const response = await fetch(`${PLAZA_URL}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': randomBytes(16).toString('hex'),
      ...(sent ? { [CONSISTENCY]: sent } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ query, variables }),
  });
  noteWrites(sent, response.headers.get(CONSISTENCY));
  const { data, errors } = await response.json();
  const refusals = Object.values(data ?? {}).flatMap((payload) => payload?.userErrors ?? []);
  if (errors?.length || refusals.length > 0) throw new Error(JSON.stringify(errors ?? refusals));
  return data;
}

const TRIES = 400;

/** Waits for what workers and projections bring about, which nothing tells who asks by HTTP. */
export async function until(what, holds) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not come to this: ${what}`);
}

/** Lines of the process's metrics, for who reads why a test has failed. */
export async function figuresOf(pattern) {
  const metrics = await (await fetch(`${ADMIN_URL}/metrics`)).text();
  return metrics
    .split('\n')
    .filter((line) => pattern.test(line))
    .join('\n');
}

/** Somebody new, logged in. */
export async function newPerson(displayName = 'Test Person') {
  const handle = unique(
    displayName
      .split(' ')[0]
      .normalize('NFD')
      .replace(/[^a-z]/gi, '')
      .toLowerCase(),
  );
  const input = { handle, displayName, email: `${handle}@example.org`, password: PASSWORD };
  const { signUp } = await ask(
    'mutation($input: SignUpInput!) { signUp(input: $input) { accessToken viewer { user { id } } userErrors { message } } }',
    { input },
  );
  const token = signUp.accessToken;
  const person = { handle, displayName, password: PASSWORD, id: signUp.viewer.user.id, token };
  return { ...person, ...deeds(token) };
}

function deeds(token) {
  const run = (query, input) => ask(query, { input }, token);
  return {
    follow: (userId) =>
      run(
        'mutation($input: UserFollowInput!) { userFollow(input: $input) { userErrors { message } } }',
        { userId },
      ),
    post: async (text, productId = null) =>
      (
        await run(
          'mutation($input: PostCreateInput!) { postCreate(input: $input) { post { id } userErrors { message } } }',
          { text, productId },
        )
      ).postCreate.post.id,
    comment: (postId, text) =>
      run(
        'mutation($input: CommentCreateInput!) { commentCreate(input: $input) { userErrors { message } } }',
        { postId, text },
      ),
    like: (postId) =>
      run(
        'mutation($input: PostLikeInput!) { postLike(input: $input) { userErrors { message } } }',
        { postId },
      ),
    offer: async (
      title,
      { stock = 20, amount = '1250', description = 'Made by hand, in small numbers.' } = {},
    ) => {
      const input = { title, description, stock, price: { amount, currency: 'EUR' } };
      return (
        await run(
          'mutation($input: ProductCreateInput!) { productCreate(input: $input) { product { id } userErrors { message } } }',
          input,
        )
      ).productCreate.product.id;
    },
    followsByNow: async (handle) =>
      (
        await ask(
          'query($handle: String!) { user(handle: $handle) { viewerIsFollowing } }',
          { handle },
          token,
        )
      ).user.viewerIsFollowing,
  };
}
