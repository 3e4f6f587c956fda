// After Vite: puts a `.br` and a `.gz` beside every file that shrinks, for plaza to serve.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { dist, names } from './files.mjs';

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

for (const name of await names()) {
  if (!TEXT.test(name)) continue;
  const path = join(dist, name);
  const bytes = await readFile(path);
  if (bytes.length < WORTH_IT) continue;
  // Names of assets hold their hash: what was packed once stays good.
  const known = name.startsWith('assets/') && (await readFile(`${path}.br`).catch(() => null));
  if (known) continue;
  const packed = { br: await brotli(bytes), gz: await promisify(gzip)(bytes, { level: 9 }) };
  for (const [ending, smaller] of Object.entries(packed)) {
    if (smaller.length < bytes.length) await writeFile(`${path}.${ending}`, smaller);
  }
}
