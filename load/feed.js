// The feed mix: 60 % home, 30 % a user's posts, 10 % post (256 characters, up to 5 mentions). `make load-feed` audits every home afterwards.
import { handle, log_in, one_of, operations, options as opened, send, summary } from './plaza.js';

const TARGETS = { home: 50, user_posts: 50, post: 200 };
operations(TARGETS);
export const options = opened(TARGETS, 100, 30);

const HOME = `{ viewer { home(first: 20) { edges { node { text author { handle } likeCount comments(first: 3) {
  edges { node { text author { handle } } } } } } } } }`;
const USER_POSTS = 'query($handle: String!) { user(handle: $handle) { displayName posts(first: 20) { edges { node { text likeCount } } } } }';
const POST = 'mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

function text(people) {
  let written = '';
  for (let mentions = Math.floor(Math.random() * 6); mentions > 0; mentions -= 1) written += `@${one_of(people).handle} `;
  while (written.length < 256) written += LETTERS[Math.floor(Math.random() * LETTERS.length)];
  return written.slice(0, 256);
}

export function setup() {
  return { people: log_in(100) };
}

function one({ people }, keep) {
  const person = one_of(people);
  const drawn = Math.random();
  if (drawn < 0.6) send(person.token, HOME, {}, keep && 'home');
  else if (drawn < 0.9) send(person.token, USER_POSTS, { handle: handle(Math.floor(Math.random() * 1000)) }, keep && 'user_posts');
  else send(person.token, POST, { text: text(people) }, keep && 'post');
}

export function warm(data) {
  one(data, false);
}

export default function measured(data) {
  one(data, true);
}

export function handleSummary(data) {
  return summary('feed', TARGETS, data);
}
