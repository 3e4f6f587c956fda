import assert from 'node:assert/strict';
import test from 'node:test';
import { Consistency, MemoryStore } from '../dist/index.js';

test('a token includes those of its own request, and not those of requests beside it', () => {
  const consistency = new Consistency();
  assert.equal(consistency.header, null);
  consistency.note(null, 'a');
  assert.equal(consistency.header, 'a');
  // Two requests that were sent with `a`, side by side.
  consistency.note('a', 'b');
  consistency.note('a', 'c');
  assert.equal(consistency.header, 'b, c');
  consistency.note('b, c', 'd');
  assert.equal(consistency.header, 'd');
  consistency.note('d', null);
  assert.equal(consistency.header, 'd');
  consistency.clear();
  assert.equal(consistency.header, null);
});

test('no more tokens are kept than the server takes', () => {
  const consistency = new Consistency();
  for (let number = 0; number < 40; number += 1) consistency.note(null, `t${number}`);
  assert.equal(consistency.header.split(', ').length, 8);
  assert.equal(consistency.header.split(', ').at(-1), 't39');
});

test('tokens are kept where the app says, and outlive the client', () => {
  const store = new MemoryStore();
  new Consistency(store).note(null, 'a');
  const next = new Consistency(store);
  assert.equal(next.header, 'a');
  next.clear();
  assert.equal(store.length, 0);
});
