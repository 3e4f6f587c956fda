// A network that breaks, and waiting for what it delays.
import assert from 'node:assert/strict';
import net from 'node:net';

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, holds) {
  for (let tries = 0; tries < 3_600; tries += 1) {
    if (await holds()) return;
    await pause(50);
  }
  assert.fail(`it did not come to this: ${what}`);
}

/** A way to the server that can be cut: every connection is reset, in whatever state it is. */
export async function tunnel(t, url) {
  const target = new URL(url);
  const pairs = new Set();
  let closed = false;
  const server = net.createServer((near) => {
    if (closed) return near.resetAndDestroy();
    const far = net.connect(Number(target.port), target.hostname);
    const pair = { near, far };
    pairs.add(pair);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        pairs.delete(pair);
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reset = () => {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  };
  t.after(() => {
    reset();
    server.close();
  });
  const down = () => {
    closed = true;
    reset();
  };
  const up = () => {
    closed = false;
  };
  return {
    url: `http://127.0.0.1:${server.address().port}${target.pathname}`,
    /** Nothing passes until it is up again. */
    down,
    up,
    /** Nothing passes for so long. */
    async cut(ms) {
      down();
      await pause(ms);
      up();
    },
    /** What is under way reaches the server, but no response comes back. */
    deafen: () => {
      for (const { near, far } of pairs) {
        far.unpipe(near);
        setTimeout(() => near.resetAndDestroy(), 30);
      }
    },
  };
}

/**
 * A way to the server on which everything passes through functions: `functions()` makes a pair of
 * them for each connection, `out` for what the client sends and `back` for what comes back, text to
 * text (a character is a byte). In place of null the connection is reset.
 */
export async function changing(t, url, functions) {
  const target = new URL(url);
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname);
    const { out = (text) => text, back = (text) => text } = functions();
    const pass = (from, to, change) => {
      open.add(from);
      from.on('data', (chunk) => {
        const text = change(chunk.toString('latin1'));
        if (text === null) {
          near.resetAndDestroy();
          far.destroy();
        } else if (to.writable) to.write(text, 'latin1');
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        open.delete(from);
        to.end();
      });
    };
    pass(near, far, out);
    pass(far, near, back);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}${target.pathname}`;
}
