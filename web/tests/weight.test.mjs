import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { newPerson, PLAZA_URL } from './support/api.mjs';
import { closeBrowser, DESKTOP, logIn, openBrowser, PHONE, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

const QUIET_MS = 500;

/**
 * Slow 4G as Lighthouse has it: 1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back; and a usual
 * line: 10 Mbit/s, 40 ms. With what the first paint of home should take there, in ms, and what it is
 * about.
 */
const LINES = [
  {
    line: 'slow 4G',
    goals: [1_200, 1_700],
    latency: 150,
    downloadThroughput: (1.6 * 1024 * 1024) / 8,
    uploadThroughput: (750 * 1024) / 8,
  },
  {
    line: '10 Mbit/s',
    goals: [400, 900],
    latency: 40,
    downloadThroughput: (10 * 1024 * 1024) / 8,
    uploadThroughput: (10 * 1024 * 1024) / 8,
  },
];

/** Bytes on the wire of a request and its answer, headers and all; its address, if the answer should have been compressed and was not. */
async function weighOne(request) {
  const response = await request.response();
  if (!response) return { bytes: 0 };
  const { responseBodySize, responseHeadersSize } = await request.sizes();
  const type = response.headers()['content-type'] ?? '';
  const plain =
    /javascript|css/.test(type) &&
    responseBodySize > 2_000 &&
    !response.headers()['content-encoding'];
  return {
    bytes: responseBodySize + responseHeadersSize,
    plain: plain ? response.url() : undefined,
  };
}

/** The same of a worker's script. It is fetched here: Chromium does not always report the response to the page. */
async function weighWorker(url) {
  const { headers } = await fetch(url, { headers: { 'Accept-Encoding': 'br' } });
  const size = [...headers].reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  return {
    bytes: Number(headers.get('content-length')) + size,
    plain: headers.get('content-encoding') ? undefined : url,
  };
}

/** Weighs everything that a visit requests, until nothing more has been requested for half a second. */
async function weigh({ page, context }, visit) {
  // By what is requested: responses to the page before may arrive during the visit, too.
  const asked = [];
  const note = (request) =>
    asked.push(/\.worker-/.test(request.url()) ? weighWorker(request.url()) : weighOne(request));
  context.on('request', note);
  await visit();
  let answered;
  do {
    answered = asked.length;
    await Promise.all(asked);
    await page.waitForTimeout(QUIET_MS);
  } while (asked.length > answered);
  context.off('request', note);
  const weights = await Promise.all(asked);
  return {
    bytes: weights.reduce((sum, { bytes }) => sum + bytes, 0),
    requests: weights.length,
    plain: weights.flatMap(({ plain }) => plain ?? []),
  };
}

test(
  'a first visit home takes at most 150 KB',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ada Author'), newPerson('Rita Reader')]);
    await reader.follow(author.id);
    for (let number = 1; number <= 20; number += 1) await author.post(`Post number ${number}.`);
    const there = await open();
    await logIn(there, reader);
    // Logged in, but with nothing in the browser's memory.
    const session = await there.context.newCDPSession(there.page);
    await session.send('Network.clearBrowserCache');
    const { bytes, plain } = await weigh(there, async () => {
      await there.page.reload();
      await there.page.getByText('Post number 20.').waitFor();
    });
    assert.deepEqual(plain, [], 'uncompressed');
    assert.ok(bytes > 50_000 && bytes <= 150_000, `${bytes} bytes`);
  }),
);

/** When something of the page was seen first, in ms since it was asked for. */
const firstPaint = (page) =>
  page.evaluate(async () => {
    const painted = () => performance.getEntriesByName('first-contentful-paint')[0];
    while (!painted()) await new Promise(requestAnimationFrame);
    return Math.round(painted().startTime);
  });

/** Visits of which the median is said. */
const VISITS = 3;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** What a visit of home on a line takes, with nothing in the browser's memory. */
async function visited(open, reader, { latency, downloadThroughput, uploadThroughput }) {
  const there = await open();
  await there.goto('/robots.txt');
  if (reader) await logIn(there, reader);
  const session = await there.context.newCDPSession(there.page);
  await session.send('Network.enable');
  await session.send('Network.clearBrowserCache');
  const line = { offline: false, latency, downloadThroughput, uploadThroughput };
  await session.send('Network.emulateNetworkConditions', line);
  const times = [];
  const { bytes, requests } = await weigh(there, async () => {
    await there.goto('/');
    times.push(await firstPaint(there.page));
    await there.page
      .locator(reader ? 'main article' : 'main h1')
      .first()
      .waitFor();
    times.push(await there.page.evaluate(() => Math.round(performance.now())));
  });
  const [first, all] = times;
  return { bytes, requests, first, all };
}

/** A row of docs/load.md: medians, each with the most that it should be, where that was said. */
function rowOf(who, { line, goals }, visits) {
  const of = (figure) => median(visits.map((visit) => visit[figure])).toLocaleString('en');
  const [first, all] = goals.map((goal) => goal.toLocaleString('en'));
  return `| ${who} | ${line} | ${of('bytes')} | ${of('requests')} | ${of('first')} of ${first} | ${of('all')} of ${all} |`;
}

/** Puts rows where the document has them, when documents are written anew (`make pictures`). */
async function document(rows) {
  const folder = process.env.PLAZA_PICTURES;
  if (!folder) return;
  const file = join(folder, '../load.md');
  const text = await readFile(file, 'utf8');
  const [, before, after] = /^(.*<!-- bad lines[^\n]*\n).*(<!-- end of bad lines.*)$/s.exec(text);
  const head = '| home of | line | bytes | requests | first paint, ms | content, ms |';
  await writeFile(
    file,
    `${before}\n${head}\n|---|---|---|---|---|---|\n${rows.join('\n')}\n\n${after}`,
  );
}

/** Times are measured and said, not asserted: this machine does other things, too. */
test('home on slow 4G and on 10 Mbit/s, in figures', async (t) => {
  const measured = async (open) => {
    const reader = await newPerson('Rita Reader');
    await reader.post('Something to read.');
    const rows = [];
    for (const line of LINES) {
      for (const [who, person] of [
        ['a guest', null],
        ['a user', reader],
      ]) {
        const visits = [];
        while (visits.length < VISITS) visits.push(await visited(open, person, line));
        rows.push(rowOf(who, line, visits));
        t.diagnostic(rows.at(-1));
      }
    }
    await document(rows);
  };
  await withPages({}, measured)();
});

/** In the page: remembers what moves by itself. */
function noteShifts() {
  globalThis.shifts = [];
  const note = (entry) => {
    if (entry.hadRecentInput) return;
    const moved = entry.sources.map(({ node }) => node?.className ?? node?.nodeName ?? '');
    globalThis.shifts.push({ value: entry.value, moved });
  };
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
  observer.observe({ type: 'layout-shift', buffered: true });
}

/** How much of what was seen has moved by itself, as Core Web Vitals count it; what it was. */
async function shiftsOf(there, visit) {
  await weigh(there, visit);
  const shifts = await there.page.evaluate(() => globalThis.shifts);
  const sum = shifts.reduce((total, { value }) => total + value, 0);
  return { sum: sum.toFixed(3), what: JSON.stringify(shifts) };
}

for (const [name, viewport] of [
  ['desktop', DESKTOP],
  ['phone', PHONE],
]) {
  test(`nothing at home moves by itself while it comes, on a ${name}`, async (t) => {
    const looked = async (open) => {
      const [author, reader] = await Promise.all([
        newPerson('Ada Author'),
        newPerson('Rita Reader'),
      ]);
      await reader.follow(author.id);
      const lamp = await author.offer('A lamp');
      for (let number = 1; number <= 20; number += 1)
        await author.post(`Post number ${number}.\n\nWith a second paragraph.`, lamp);
      const there = await open({ viewport });
      await there.page.addInitScript(noteShifts);
      await logIn(there, reader);
      const home = await shiftsOf(there, async () => {
        await there.goto('/');
        await there.page.getByText('Post number 20.').waitFor();
      });
      assert.equal(home.sum, '0.000', home.what);
      for (const path of ['/shop', `/u/${author.handle}`]) {
        const { sum, what } = await shiftsOf(there, async () => {
          await there.goto(path);
          await there.page.locator('main :is(article, .product-title)').first().waitFor();
        });
        t.diagnostic(`layout shift of ${path}, ${name}: ${sum} ${what}`);
      }
    };
    await withPages({}, looked)();
  });
}

test(
  'the playground takes at most 2.1 MB',
  withPages({}, async (open) => {
    const there = await open();
    const { bytes, plain } = await weigh(there, async () => {
      await there.goto('/graphiql');
      await there.page.locator('.graphiql-container .monaco-editor').first().waitFor();
    });
    assert.deepEqual(plain, [], 'uncompressed');
    assert.ok(bytes > 500_000 && bytes <= 2_100_000, `${bytes} bytes`);
  }),
);

test(
  'the frame of a page is there before its scripts',
  withPages({}, async (open) => {
    const { page, context } = await open();
    // Scripts that never come.
    await context.route(/\/assets\/.*\.js$/, () => undefined);
    await page.goto(`${PLAZA_URL}/shop`, { waitUntil: 'commit' });
    await page.getByRole('banner').getByText('plaza').waitFor();
    await page.getByRole('status', { name: 'Loading' }).waitFor();
    await context.unrouteAll({ behavior: 'ignoreErrors' });
  }),
);
