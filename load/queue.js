// Case 2.1 from outside: 10,000 orders a minute, each answered at once; then every order that was looked at must have come to its end.
import { sleep } from 'k6';
import { Gauge } from 'k6/metrics';
import { count_failure, log_in, one_of, operations, options as opened, send, summary } from './plaza.js';

const TARGETS = { order: 200 };
operations(TARGETS);
const pending = new Gauge('plaza_orders_without_an_end');
export const options = opened(TARGETS, 167, 60, { plaza_orders_without_an_end: ['value<1'] });

const PRODUCT = `mutation($title: String!) { productCreate(input: {title: $title, description: "For the queue's load", price: {amount: "999", currency: "EUR"}, stock: 1000000}) {
  product { id } userErrors { code message } } }`;
const ORDER = 'mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id status } userErrors { code message } } }';
const STATES = '{ viewer { orders(first: 100) { nodes { id status } } } }';

export function setup() {
  const people = log_in(50);
  const products = [];
  for (const person of people.slice(0, 10)) {
    const made = send(person.token, PRODUCT, { title: `k6 ${Math.random()}` });
    if (made && made.productCreate.product) products.push(made.productCreate.product.id);
  }
  if (!products.length) throw new Error('no product could be made');
  return { people, products };
}

function one({ people, products }, keep) {
  const data = send(one_of(people).token, ORDER, { id: one_of(products) }, keep && 'order');
  if (data && !data.orderPlace.order) count_failure(keep && 'order');
}

export function warm(data) {
  one(data, false);
}

export default function measured(data) {
  one(data, true);
}

// The newest hundred orders of everybody, until none of them is on its way, or two minutes are over.
export function teardown({ people }) {
  let left = 0;
  for (let look = 0; look < 60; look += 1) {
    left = 0;
    for (const person of people) {
      const data = send(person.token, STATES, {});
      left += data ? data.viewer.orders.nodes.filter((order) => order.status === 'PENDING').length : 1;
    }
    if (!left) break;
    sleep(2);
  }
  pending.add(left);
}

export function handleSummary(data) {
  return summary('queue', TARGETS, data);
}
