// Which words of the documents are paths of the repository, and whether they are there.
import { dirname, normalize } from 'node:path';
import { files } from './files.mjs';

export const documents = files.filter(
  (file) => file.endsWith('.md') && (!file.includes('/') || /^(docs|web|clients)\//.test(file)),
);
export const present = new Set(files);
for (const file of files)
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) present.add(folder);

// Paths that start at the repository's root or, as the documents shorten them, at src/, tests/it/, src/stores/ or web/.
const BASES = ['', 'src/', 'tests/it/', 'src/stores/', 'infra/', 'k8s/', 'web/'];
const folders = new Set(
  files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]),
);
for (const base of BASES.slice(1))
  for (const file of files)
    if (file.startsWith(base)) folders.add(file.slice(base.length).split('/')[0]);
const ENDS =
  /\.(rs|md|sql|toml|graphql|lua|sh|yml|yaml|json|mjs|js|ts|tsx|css|html|conf|properties|env|png|svg|txt)$/;

const TOP = /^(src|docs|infra|tests|web|clients|load|k8s|fuzz|migrations|\.ci)\//;

/** What git does not keep: made by a build or a run. */
export const MADE = /^(\.local|target|bench-results|web\/dist|dist|node_modules)(\/|$)/;

function* braces(path) {
  const match = /^(.*?)\{([^}]*)\}(.*)$/.exec(path);
  if (!match) return yield path;
  for (const part of match[2].split(',')) yield* braces(match[1] + part.trim() + match[3]);
}

function matches(path) {
  if (!/[*]/.test(path)) return present.has(path);
  const pattern = new RegExp(
    `^${path
      .split('*')
      .map((part) => part.replace(/[.+^$()|[\]\\]/g, '\\$&'))
      .join('[^/]*')}$`,
  );
  return [...present].some((file) => pattern.test(file));
}

/** Whether a word names a path. A place that a reader fills in (<noun>, NAME, ..) makes it none. */
export function isPath(word) {
  const path = tidy(word);
  if (/[<>$()"'=@…]|\.\.|^\/|^[a-z]+:\/\/|[A-Z]{4,}$/.test(path) || MADE.test(path)) return false;
  if (!path.includes('/') || !folders.has(path.split('/')[0])) return false;
  return ENDS.test(path) || word.endsWith('/') || TOP.test(path);
}

/** Whether the path is there, from the root, from where paths are shortened to, or from `here`. */
export function isThere(word, here) {
  const bases = [here, ...BASES];
  return [...braces(tidy(word))].every((one) =>
    bases.some((base) => matches(normalize(base + one))),
  );
}

const tidy = (word) => word.replace(/^\.\//, '').replace(/:\d+$/, '').replace(/\/$/, '');
