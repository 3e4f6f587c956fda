// An app in a tunnel: mutations through a network that is cut, by processes that are killed, to a
// server that is killed too where PLAZA_KILLED_URL is the address of one.
import assert from 'node:assert/strict';
import test from 'node:test';
import { random } from './specification/generator.mjs';
import { pause, tunnel, until } from './support/tunnel.mjs';
import { POST, newClient, newUser, postsOf, url } from './support/users.mjs';

/** A client whose process can be killed: nothing of it reaches the network or the store after. */
function newProcess(t, options) {
  let killed = false;
  const fetch = async (...request) => {
    if (killed) throw new Error('killed');
    const response = await globalThis.fetch(...request);
    // Killed while it waited: whatever the response is, nobody reads it.
    return killed ? new Promise(() => undefined) : response;
  };
  const client = newClient(t, { ...options, fetch });
  return {
    client,
    kill() {
      killed = true;
      client.close();
    },
  };
}

const CUTS = 50;
const MUTATIONS = 150;

test(
  'mutations through 50 cuts and 5 kills: none lost, none doubled, in order',
  { timeout: 600_000 },
  async (t) => {
    const seed = Number(process.env.PLAZA_SEED ?? Math.floor(Math.random() * 2 ** 32));
    const chance = random(seed);
    const way = await tunnel(t, process.env.PLAZA_KILLED_URL ?? url);
    const { store, client: direct } = await newUser(t);
    const start = () => newProcess(t, { url: way.url, store, deadlineMs: 2_000 });
    let running = start();
    let [cuts, kills, added] = [0, 0, 0];
    const expected = Array.from({ length: MUTATIONS }, (_, number) => `tap ${number}`);
    const taps = (async () => {
      for (const text of expected) {
        // Its promise ends with the process; what is in the store does not.
        running.client.enqueue(POST, { input: { text } }).catch(() => undefined);
        added += 1;
        await pause(chance.below(60));
      }
    })();
    while (cuts < CUTS) {
      await pause(20 + chance.below(120));
      if (chance.chance(0.4)) way.deafen();
      else await way.cut(chance.below(150));
      cuts += 1;
      if (cuts % 10 === 0) {
        running.kill();
        kills += 1;
        running = start();
      }
    }
    await taps;
    await until('the queue is empty', () => running.client.queue.entries.length === 0);
    const posts = await postsOf(direct);
    t.diagnostic(
      `seed ${seed}: ${cuts} cuts, ${kills} kills, ${added} taps, ${posts.length} posts`,
    );
    assert.deepEqual(posts, expected, `PLAZA_SEED=${seed}`);
  },
);
