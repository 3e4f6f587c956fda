import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ADMIN_URL, CONSISTENCY, PLAZA_URL, allWrites, noteWrites } from './api.mjs';

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };
/** What a condition may take on a busy machine. */
const PATIENCE_MS = 60_000;

let browser;

export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
}

export async function closeBrowser() {
  await browser?.close();
}

const headerOf = (message) => message.headers()[CONSISTENCY.toLowerCase()];

/** In the page, before its own scripts: the front end keeps the token there for its tab. */
function knowWrites([key, token]) {
  if (!token || !location.protocol.startsWith('http')) return;
  if (!sessionStorage.getItem(key)) sessionStorage.setItem(key, token);
}

/**
 * A page of its own (nobody logged in), watched: `check` fails when it has said anything on the console, thrown, or asked for anything that is not
 * plaza's. A test that breaks something on purpose names what the console may say of it.
 */
export async function openPage({ viewport = DESKTOP, expected = [], ...options } = {}) {
  // What passes a service worker cannot be weighed, held or cut: only tests of it have one.
  const usual = { locale: 'en-GB', serviceWorkers: 'block' };
  const context = await browser.newContext({ viewport, ...usual, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.some((pattern) => pattern.test(message.text())))
      wrong.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`thrown: ${error.stack}`));
  const hosts = [PLAZA_URL, ADMIN_URL].map((url) => new URL(url).host);
  const inside = (url) => /^(data|blob|about):/.test(url) || hosts.includes(new URL(url).host);
  context.on(
    'request',
    (request) => inside(request.url()) || wrong.push(`request: ${request.url()}`),
  );
  context.on('response', (response) =>
    noteWrites(headerOf(response.request()), headerOf(response)),
  );
  await context.addInitScript(knowWrites, [CONSISTENCY, allWrites()]);
  page.on('websocket', (socket) => inside(socket.url()) || wrong.push(`socket: ${socket.url()}`));
  return {
    page,
    context,
    goto: async (path) => {
      if (page.url().startsWith(PLAZA_URL))
        await page.evaluate(
          ([key, token]) => sessionStorage.setItem(key, token),
          [CONSISTENCY, allWrites()],
        );
      return page.goto(`${PLAZA_URL}${path}`);
    },
    check: () => assert.deepEqual(wrong, []),
    close: () => context.close(),
  };
}

/** Runs a test with pages that are checked and closed at its end. */
export function withPages(options, body) {
  return async () => {
    const opened = [];
    const open = async (more) => {
      const next = await openPage({ ...options, ...more });
      opened.push(next);
      return next;
    };
    try {
      await body(open);
      for (const each of opened) each.check();
    } finally {
      for (const each of opened) await each.close();
    }
  };
}

export async function logIn({ page, goto }, person) {
  await goto('/login');
  await page.getByLabel('Handle').fill(person.handle);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByLabel('Your post').waitFor();
}

/** A post that plaza has, by its text: what is on its way is shown, too. */
export const sent = (page, text) =>
  page.locator('article.post:not(.row-unsent)').filter({ hasText: text });

/** Until the page says that it is told of what happens. */
export async function untilLive(page) {
  await page
    .getByRole('status')
    .filter({ hasText: /^Live$/ })
    .waitFor();
}

/** Until a service worker has the page and what it has loaded: it would be there without a network. */
export async function untilKept(page) {
  await page.waitForFunction(async () => {
    const loaded = performance
      .getEntriesByType('resource')
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.startsWith('/assets/'));
    const known = await Promise.all(['/', ...loaded].map((path) => caches.match(path)));
    return navigator.serviceWorker.controller && known.every(Boolean);
  });
}

/** A picture for the documentation, when PLAZA_PICTURES says where. */
export async function picture(page, name) {
  const folder = process.env.PLAZA_PICTURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}

/** Nothing sticks out of the window sideways. */
export async function fitsSideways(page) {
  const [wide, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    innerWidth,
  ]);
  assert.ok(wide <= window, `${wide} px wide in a window of ${window}`);
}
