import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const web = new URL('../../', import.meta.url).pathname;

/** Modules of the demo, with what they import, as node can run them. `source` exports from them. */
export async function bundled(source) {
  // Within web/, so that a library that is left out is found.
  const folder = await mkdtemp(join(web, 'node_modules/.tests-'));
  try {
    const outfile = join(folder, 'bundle.mjs');
    await build({
      stdin: { contents: source, resolveDir: web, loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      logLevel: 'silent',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}
