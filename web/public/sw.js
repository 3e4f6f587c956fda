// What of the demo is there without a network: its page, and the scripts and styles that it has
// loaded. With a network the page comes from there alone, so that nobody sees an old one. The API
// and media are left to the page.

/** Before each cache's name: one for each build, the newest last. */
const PREFIX = 'plaza-';
const HASHED = '/assets/';
/** What the page loads under a name that does not change with it. */
const BESIDE = '/theme.js';
/** Paths that are no pages of the demo; neither is anything with an extension. */
const ELSEWHERE = /^\/(graphql|graphiql|media|assets|\.well-known)(\/|$)|\.\w+$/;

const builds = async () => (await caches.keys()).filter((name) => name.startsWith(PREFIX));
const kept = (request) => caches.match(request, { ignoreVary: true });

async function fetched(request, options) {
  const response = await fetch(request, options);
  if (response.status !== 200) throw new Error(`${response.status} for ${response.url}`);
  return response;
}

/** The page as it is whatever it is about. */
const neutral = (html) =>
  html.replace(/<!--about-->.*?<!--\/about-->/s, '<!--about--><title>plaza</title><!--/about-->');

async function keptPage() {
  for (const name of (await builds()).reverse()) {
    const page = await (await caches.open(name)).match('/');
    if (page) return page;
  }
  return undefined;
}

/** Keeps a page, unless it is the one that is kept already. */
async function keepPage(response) {
  const html = neutral(await response.text());
  const before = await keptPage();
  if (before && (await before.text()) === html) return;
  const names = await builds();
  const name = PREFIX + Date.now();
  try {
    await fill(await caches.open(name), html, new Headers(response.headers));
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
  // Tabs of the build before still load from its cache; of those before that there are none.
  for (const old of names.slice(0, -1)) await caches.delete(old);
}

/** Puts a page into its cache, after what it loads at once: without that it would be of no use. */
async function fill(cache, html, headers) {
  const loaded = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  const hashed = loaded.filter((path) => path.startsWith(HASHED));
  for (const path of new Set(hashed))
    await cache.put(path, (await kept(path)) ?? (await fetched(path)));
  await cache.put(BESIDE, await fetched(BESIDE));
  for (const name of ['content-encoding', 'content-length', 'etag']) headers.delete(name);
  await cache.put('/', new Response(html, { headers }));
}

async function keepAsset(path, response) {
  const newest = (await builds()).at(-1);
  if (newest && response.status === 200) await (await caches.open(newest)).put(path, response);
}

/** From the network; without one as it was kept. */
async function page(event) {
  const { pathname } = new URL(event.request.url);
  const isDemo = !ELSEWHERE.test(pathname);
  try {
    const response = (await event.preloadResponse) ?? (await fetch(event.request));
    const isPage = response.headers.get('content-type')?.startsWith('text/html');
    if (isDemo && isPage && response.status === 200)
      event.waitUntil(keepPage(response.clone()).catch(() => undefined));
    return response;
  } catch (error) {
    const page = isDemo && (await keptPage());
    if (page) return page;
    throw error;
  }
}

/** Names of assets hold their hash: what was kept once stays right. */
async function asset(event) {
  const { request, clientId } = event;
  const known = await kept(request);
  if (known) return known;
  const response = await fetch(request);
  // Not what the playground loads, which is large and of no use without the API.
  const client = await self.clients.get(clientId);
  if (client && !ELSEWHERE.test(new URL(client.url).pathname))
    event.waitUntil(keepAsset(new URL(request.url).pathname, response.clone()));
  return response;
}

async function beside({ request }) {
  try {
    return await fetch(request);
  } catch (error) {
    const known = await kept(request);
    if (known) return known;
    throw error;
  }
}

self.addEventListener('install', (event) => {
  const first = async () => keepPage(await fetched('/', { cache: 'no-cache' }));
  // No page is of an old worker's making, so none needs to be closed first.
  event.waitUntil(first().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const preload = self.registration.navigationPreload?.enable();
  event.waitUntil(Promise.all([preload, self.clients.claim()]));
});

self.addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== self.location.origin) return;
  if (mode === 'navigate') event.respondWith(page(event));
  else if (pathname.startsWith(HASHED)) event.respondWith(asset(event));
  else if (pathname === BESIDE) event.respondWith(beside(event));
});

// What a page has loaded before there was a worker: it is in the browser's memory, and kept here.
self.addEventListener('message', (event) => {
  const keep = async (url) => {
    const { origin, pathname } = new URL(url);
    if (origin !== self.location.origin || !pathname.startsWith(HASHED)) return;
    if (!(await kept(pathname))) await keepAsset(pathname, await fetched(pathname));
  };
  const urls = Array.isArray(event.data) ? event.data : [];
  event.waitUntil(Promise.allSettled(urls.map(keep)));
});
