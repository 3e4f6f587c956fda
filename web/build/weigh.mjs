// Weighs what each page loads, as it goes over the wire, against its budget.
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dist, names } from './files.mjs';

/** Bytes of a file on the wire, by its name in `dist`: of its brotli copy where it has one. */
const weights = new Map();
for (const name of await names()) {
  const path = join(dist, name);
  const { size } = await stat(`${path}.br`).catch(() => stat(path));
  weights.set(name, size);
}

const manifest = JSON.parse(await readFile(join(dist, '.vite/manifest.json'), 'utf8'));

/** Every file that comes with a page, and with what it imports at once. */
function loadedBy(page, ...later) {
  const [files, seen] = [new Set([page]), new Set()];
  const visit = (key) => {
    if (seen.has(key)) return;
    seen.add(key);
    const { file, css = [], imports = [] } = manifest[key];
    [file, ...css].forEach((name) => files.add(name));
    imports.forEach(visit);
  };
  [page, ...later].forEach(visit);
  // The one font file that Latin texts need; the other scripts' come with their letters.
  for (const name of weights.keys())
    if (page === 'index.html' && /figtree-latin-wght-normal/.test(name)) files.add(name);
  return files;
}

const sum = (files) => [...files].reduce((total, name) => total + (weights.get(name) ?? 0), 0);
// The editor loads its languages and workers as it goes: all that the demo does not need is counted.
const demo = new Set(
  Object.values(manifest)
    .filter(({ src }) => src?.startsWith('demo/'))
    .flatMap(({ file, css = [] }) => [file, ...css]),
);
const playground = [...weights.keys()].filter(
  (name) => name.startsWith('assets/') && !demo.has(name),
);

const KB = 1_000;
const budgets = [
  // 150 KB with a page of posts, which has some 10 KB.
  ['home', sum(loadedBy('index.html')), 140 * KB],
  [
    'home of a guest',
    sum(loadedBy('index.html', 'demo/pages/landing.tsx', 'demo/words/en-pages.ts')),
    140 * KB,
  ],
  ['GraphiQL', sum(playground), 2_100 * KB],
];
let over = false;
for (const [name, weight, most] of budgets) {
  console.log(`${name}: ${(weight / KB).toFixed(1)} KB on the wire, of ${most / KB}`);
  over ||= weight > most;
}
if (over) {
  // Not built, for who asks whether it is.
  await rm(join(dist, 'index.html'));
  console.error('over the budget: load less, or later');
  process.exitCode = 1;
}
