/** Without a network the page is there all the same: public/sw.js keeps it. */
async function register(): Promise<void> {
  const { serviceWorker } = navigator;
  const isFirst = serviceWorker.controller === null;
  await serviceWorker.register('/sw.js', { updateViaCache: 'none' });
  if (!isFirst) return;
  // What was loaded before there was a worker has not passed it.
  const { active } = await serviceWorker.ready;
  active?.postMessage(performance.getEntriesByType('resource').map(({ name }) => name));
}

/** Begins once the page is there, so that it delays nothing. Not in development: Vite serves anew. */
export function keepWithoutNetwork(): void {
  // Only what comes by HTTPS, or from this machine, may have one.
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  // Where the browser refuses, the page is what it was without.
  addEventListener('load', () => void register().catch(() => undefined));
}
