import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalLocks, MemoryStore, MutationQueue, RequestFailed } from '../dist/index.js';

const failure = (code, retryAfter) =>
  new RequestFailed(code, [{ message: code, extensions: { code, retryAfter } }]);
/** A transient error whose next attempt follows at once. */
const soon = () => failure('OVERLOADED', 0);

function setUp(send, { store = new MemoryStore(), locks = new LocalLocks(), user = 'u1' } = {}) {
  const options = { store, locks, name: 'q', userId: () => user, send };
  return { store, locks, queue: new MutationQueue(options) };
}

test('entries are sent one after the other, in order, under a key each', async () => {
  const sent = [];
  let busy = false;
  const { queue, store } = setUp(async ({ variables, key }) => {
    assert.equal(busy, false, 'two at a time');
    busy = true;
    await new Promise((resolve) => setTimeout(resolve, 2));
    busy = false;
    sent.push([variables.n, key]);
    return variables.n;
  });
  const added = [1, 2, 3, 4, 5].map((n) => queue.add('mutation', { n }));
  assert.equal(queue.entries.length, 5);
  assert.deepEqual(await Promise.all(added), [1, 2, 3, 4, 5]);
  assert.deepEqual(
    sent.map(([n]) => n),
    [1, 2, 3, 4, 5],
  );
  assert.equal(new Set(sent.map(([, key]) => key)).size, 5);
  assert.equal(store.length, 0);
});

test('an entry that is added while the queue comes to its end is sent too', async () => {
  // The queue ends some microtasks after a response: there is one in which it may be missed.
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const { queue } = setUp(async ({ variables }) => variables.n);
    await queue.add('mutation', { n: 1 });
    for (let tick = 0; tick < ticks; tick += 1) await undefined;
    const added = queue.add('mutation', { n: 2 });
    const late = new Promise((resolve) => setTimeout(resolve, 200, 'not sent'));
    assert.equal(await Promise.race([added, late]), 2, `after ${ticks} microtasks`);
  }
});

test('an attempt without a response is repeated under the same key, before what comes after', async () => {
  const sent = [];
  const { queue } = setUp(async ({ variables, key }) => {
    sent.push([variables.n, key]);
    if (sent.length <= 3) throw sent.length === 2 ? new RequestFailed('no response') : soon();
    return 'done';
  });
  await Promise.all([queue.add('mutation', { n: 1 }), queue.add('mutation', { n: 2 })]);
  assert.deepEqual(
    sent.map(([n]) => n),
    [1, 1, 1, 1, 2],
  );
  assert.equal(new Set(sent.slice(0, 4).map(([, key]) => key)).size, 1);
});

test('what a run has left is sent by the next one, in order, under the same keys', async () => {
  const seen = [];
  const first = setUp(async ({ variables, key }) => {
    seen.push(key);
    // Killed before the response of the second entry arrives.
    if (variables.n === 2) return new Promise(() => undefined);
    return variables.n;
  });
  const [one] = [1, 2, 3].map((n) => first.queue.add('mutation', { n }));
  await one;
  await new Promise((resolve) => setTimeout(resolve, 5));
  const sent = [];
  const second = setUp(
    async ({ variables, key }) => {
      sent.push([variables.n, key]);
    },
    { store: first.store },
  );
  const outcomes = [];
  const settled = new Promise((resolve) => {
    second.queue.onSettled(({ entry }) => {
      outcomes.push(entry.variables.n);
      if (outcomes.length === 2) resolve();
    });
  });
  second.queue.resume();
  await settled;
  assert.deepEqual(outcomes, [2, 3]);
  assert.equal(sent[0][1], seen[1]);
  assert.equal(first.store.length, 0);
});

test('what is refused for good is reported, and does not hold up the rest', async () => {
  const { queue, store } = setUp(async ({ variables }) => {
    if (variables.n === 1) throw failure('BAD_USER_INPUT');
    return variables.n;
  });
  const refused = queue.add('mutation', { n: 1 });
  const taken = queue.add('mutation', { n: 2 });
  await assert.rejects(refused, { code: 'BAD_USER_INPUT' });
  assert.equal(await taken, 2);
  assert.equal(store.length, 0);
});

test('an internal error is tried five times, then reported', { timeout: 20_000 }, async () => {
  let attempts = 0;
  const { queue } = setUp(async () => {
    attempts += 1;
    throw failure('INTERNAL', 0);
  });
  await assert.rejects(queue.add('mutation', {}), { code: 'INTERNAL' });
  assert.equal(attempts, 5);
});

test('entries wait for a log-in, and for their own user', async () => {
  let [user, loggedIn] = ['u1', false];
  const [store, sent] = [new MemoryStore(), []];
  const queue = new MutationQueue({
    store,
    locks: new LocalLocks(),
    name: 'q',
    userId: () => user,
    send: async (entry) => {
      if (!loggedIn) throw failure('UNAUTHENTICATED');
      sent.push([user, entry.userId]);
    },
  });
  const added = queue.add('mutation', {});
  await new Promise((resolve) => setTimeout(resolve, 5));
  [user, loggedIn] = ['u2', true];
  queue.resume();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(sent, []);
  user = 'u1';
  queue.resume();
  await added;
  assert.deepEqual(sent, [['u1', 'u1']]);
});

test('of two tabs one sends at a time, and each learns what became of its own entries', async () => {
  const [store, locks, effects, order] = [new MemoryStore(), new LocalLocks(), new Map(), []];
  let busy = 0;
  const send = async ({ key, variables }) => {
    busy += 1;
    assert.equal(busy, 1, 'two tabs at a time');
    await new Promise((resolve) => setTimeout(resolve, 1));
    busy -= 1;
    if (!effects.has(key)) {
      effects.set(key, `result ${variables.n}`);
      order.push(variables.n);
    }
    return effects.get(key);
  };
  const tabs = [setUp(send, { store, locks }), setUp(send, { store, locks })];
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, n) => tabs[n % 2].queue.add('mutation', { n })),
  );
  assert.deepEqual(
    results,
    Array.from({ length: 20 }, (_, n) => `result ${n}`),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('nobody logged in, or a full store: nothing is added', () => {
  const { queue, store } = setUp(async () => 'sent', { user: null });
  assert.throws(() => queue.add('mutation', {}), { code: 'UNAUTHENTICATED' });
  assert.equal(store.length, 0);
});

test('while the server can be reached an entry is given up after its attempts, and not before', async () => {
  let reachable = true;
  let attempts = 0;
  const store = new MemoryStore();
  const queue = new MutationQueue({
    store,
    locks: new LocalLocks(),
    name: 'q',
    userId: () => 'u1',
    isReachable: () => reachable,
    send: async () => {
      attempts += 1;
      throw soon();
    },
  });
  await assert.rejects(queue.add('mutation', {}, { attempts: 3 }), { code: 'OVERLOADED' });
  assert.equal(attempts, 3);
  assert.equal(store.length, 0);

  [reachable, attempts] = [false, 0];
  const waits = queue.add('mutation', {}, { attempts: 3, key: 'k' });
  while (attempts < 20) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(queue.entries[0].key, 'k');
  reachable = true;
  await assert.rejects(waits, { code: 'OVERLOADED' });
});

test('whoever waits longer than usual is told once, also behind another entry', async () => {
  let sent = 0;
  const [store, told] = [new MemoryStore(), []];
  const queue = new MutationQueue({
    store,
    locks: new LocalLocks(),
    name: 'q',
    userId: () => 'u1',
    isReachable: () => sent > 5,
    send: async ({ variables }) => {
      sent += 1;
      if (sent < 5) throw soon();
      return variables.n;
    },
  });
  queue.onDelayed(({ note }) => told.push(note));
  const added = ['first', 'second'].map((note, n) => queue.add('mutation', { n }, { note }));
  assert.deepEqual(await Promise.all(added), [0, 1]);
  assert.deepEqual(told, ['first', 'second']);
});

test('what becomes of an entry of an earlier run can be waited for, also after it was sent', async () => {
  const first = setUp(() => new Promise(() => undefined));
  void first.queue.add('mutation', { n: 1 }, { note: { place: 'home' } });
  const keys = [];
  const second = setUp(
    async ({ key, variables }) => {
      keys.push(key);
      return `result ${variables.n}`;
    },
    { store: first.store },
  );
  let changes = 0;
  second.queue.onChange(() => (changes += 1));
  const [entry] = second.queue.entries;
  assert.deepEqual(entry.note, { place: 'home' });
  assert.equal(await second.queue.outcomeOf(entry), 'result 1');
  assert.equal(second.queue.entries.length, 0);
  assert.equal(changes, 1);
  // Under the same key, so that the server repeats its response.
  assert.equal(await second.queue.outcomeOf(entry), 'result 1');
  assert.equal(new Set(keys).size, 1);
});
