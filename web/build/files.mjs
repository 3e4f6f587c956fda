// What Vite has written.
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

export const dist = new URL('../dist/', import.meta.url).pathname;

/** Every file that a page may load, by its name in `dist`: neither the manifest nor packed copies. */
export async function names() {
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !/\.(br|gz)$/.test(entry.name))
    .map((entry) => relative(dist, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((name) => !name.startsWith('.vite'));
}
