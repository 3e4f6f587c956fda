// Case 1.3 from outside: people's pages, the first a thousand times as often as the thousandth (Zipf), with 5 % writes; the share of hits is the servers' own account.
import { Gauge } from 'k6/metrics';
import { handle, log_in, one_of, operations, options as opened, send, server_metrics, summary } from './plaza.js';

const TARGETS = { page: 20, write: 200 };
operations(TARGETS);
const hits = new Gauge('plaza_cache_hit_percent');
export const options = opened(TARGETS, 150, 30, { plaza_cache_hit_percent: ['value>90'] });

const PAGE = `query($handle: String!) { user(handle: $handle) { displayName followerCount posts(first: 10) { nodes { id text likeCount
  comments(first: 3) { nodes { text author { handle } } } } } } }`;
const WRITE = 'mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }';
const PAGES = 1000;
const sums = [];
for (let rank = 1, sum = 0; rank <= PAGES; rank += 1) {
  sum += 1 / rank;
  sums.push(sum);
}

function zipf() {
  const drawn = Math.random() * sums[PAGES - 1];
  let low = 0;
  let high = PAGES - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] < drawn) low = middle + 1;
    else high = middle;
  }
  return low;
}

function outcomes() {
  const found = { hit: 0, all: 0 };
  for (const [name, value] of Object.entries(server_metrics())) {
    if (!name.startsWith('plaza_cache_total{')) continue;
    found.all += value;
    if (/outcome="(local|hit|shared)"/.test(name)) found.hit += value;
  }
  return found;
}

export function setup() {
  const people = log_in(50);
  return { people, before: outcomes() };
}

function one({ people }, keep) {
  const person = one_of(people);
  if (Math.random() < 0.05) send(person.token, WRITE, { text: `k6 ${Math.random()}` }, keep && 'write');
  else send(person.token, PAGE, { handle: handle(zipf()) }, keep && 'page');
}

export function warm(data) {
  one(data, false);
}

export default function measured(data) {
  one(data, true);
}

export function teardown({ before }) {
  const after = outcomes();
  if (after.all > before.all) hits.add((100 * (after.hit - before.hit)) / (after.all - before.all));
}

export function handleSummary(data) {
  return summary('caching', TARGETS, data);
}
