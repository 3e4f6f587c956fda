// Case 1.1 from outside: what one shard answers, what all four must be asked for, and what one shard writes.
import { handle, log_in, one_of, operations, options as opened, send, summary } from './plaza.js';

const TARGETS = { single_shard: 50, scatter_gather: 50, write: 50 };
operations(TARGETS);
export const options = opened(TARGETS, 100, 30);

const ONE = 'query($handle: String!) { user(handle: $handle) { displayName posts(first: 20) { nodes { id text likeCount } } } }';
const ALL = '{ products(first: 20) { nodes { id title price { amount currency } seller { handle } } } }';
const WRITE = 'mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }';

export function setup() {
  return { people: log_in(50) };
}

function one({ people }, keep) {
  const person = one_of(people);
  const drawn = Math.random();
  if (drawn < 0.6) send(person.token, ONE, { handle: handle(Math.floor(Math.random() * 1000)) }, keep && 'single_shard');
  else if (drawn < 0.9) send(person.token, ALL, {}, keep && 'scatter_gather');
  else send(person.token, WRITE, { text: `k6 ${Math.random()}` }, keep && 'write');
}

export function warm(data) {
  one(data, false);
}

export default function measured(data) {
  one(data, true);
}

export function handleSummary(data) {
  return summary('sharding', TARGETS, data);
}
