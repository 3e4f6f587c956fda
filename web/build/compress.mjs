// After Vite: weighs what each page loads against its budget, and puts a `.br` and a `.gz` beside every file that shrinks, for plaza to serve.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
const TEXT = /\.(js|css|html|svg|json|webmanifest|txt|ttf)$/;
/** Below this a header costs more than it saves. */
const WORTH_IT = 1_000;

const brotli = (bytes) =>
  promisify(brotliCompress)(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });

/** What a file takes on the wire, by its name in `dist`. */
const weights = new Map();
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const name = relative(dist, path);
  if (name.startsWith('.vite')) continue;
  const bytes = await readFile(path);
  weights.set(name, bytes.length);
  if (!TEXT.test(name) || bytes.length < WORTH_IT) continue;
  // Names of assets hold their hash: what was packed once stays good.
  const known = name.startsWith('assets/') ? await readFile(`${path}.br`).catch(() => null) : null;
  const packed = known
    ? { br: known }
    : { br: await brotli(bytes), gz: await promisify(gzip)(bytes, { level: 9 }) };
  for (const [ending, smaller] of Object.entries(packed))
    if (smaller.length < bytes.length && smaller !== known)
      await writeFile(`${path}.${ending}`, smaller);
  weights.set(name, Math.min(bytes.length, packed.br.length));
}

const manifest = JSON.parse(await readFile(join(dist, '.vite/manifest.json'), 'utf8'));

/** Every file that comes with a page before anybody has clicked. */
function loadedBy(page) {
  const [files, seen] = [new Set([page]), new Set()];
  const visit = (key) => {
    if (seen.has(key)) return;
    seen.add(key);
    const { file, css = [], imports = [] } = manifest[key];
    [file, ...css].forEach((name) => files.add(name));
    imports.forEach(visit);
  };
  visit(page);
  // The one font file that Latin texts need; the other scripts' come with their letters.
  for (const name of weights.keys())
    if (page === 'index.html' && /figtree-latin-wght-normal/.test(name)) files.add(name);
  return files;
}

const sum = (files) => [...files].reduce((total, name) => total + (weights.get(name) ?? 0), 0);
const home = loadedBy('index.html');
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
  ['home', sum(home), 140 * KB],
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
