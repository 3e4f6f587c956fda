// Every relative link of the documents leads to a file, and to a heading of it where it names one; every path in back quotes is there.
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { files, root } from './files.mjs';

const documents = files.filter((file) => file.endsWith('.md') && (!file.includes('/') || /^(docs|web)\//.test(file)));
const present = new Set(files);
for (const file of files) for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) present.add(folder);

// Paths that start at the repository's root or, as the documents shorten them, at src/, tests/it/, src/stores/ or web/.
const BASES = ['', 'src/', 'tests/it/', 'src/stores/', 'infra/', 'k8s/', 'web/'];
const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]));
for (const base of BASES.slice(1)) for (const file of files) if (file.startsWith(base)) folders.add(file.slice(base.length).split('/')[0]);
const ENDS = /\.(rs|md|sql|toml|graphql|lua|sh|yml|yaml|json|mjs|js|ts|tsx|css|html|conf|properties|env|png|svg|txt)$/;

/** What git does not keep: made by a build or a run. */
const MADE = /^(\.local|target|bench-results|web\/dist|dist|node_modules)(\/|$)/;

function anchors(file) {
  const seen = new Map();
  return new Set(
    readFileSync(root + file, 'utf8')
      .replace(/^```[^]*?^```/gm, '')
      .split('\n')
      .filter((line) => /^#+ /.test(line))
      .map((line) => {
        const text = line.replace(/^#+ /, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
        const slug = text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').trim().replaceAll(' ', '-');
        const times = seen.get(slug) ?? 0;
        seen.set(slug, times + 1);
        return times ? `${slug}-${times}` : slug;
      }),
  );
}

function* braces(path) {
  const match = /^(.*?)\{([^}]*)\}(.*)$/.exec(path);
  if (!match) return yield path;
  for (const part of match[2].split(',')) yield* braces(match[1] + part.trim() + match[3]);
}

function matches(path) {
  if (!/[*]/.test(path)) return present.has(path);
  const pattern = new RegExp(`^${path.split('*').map((part) => part.replace(/[.+^$()|[\]\\]/g, '\\$&')).join('[^/]*')}$`);
  return [...present].some((file) => pattern.test(file));
}

let wrong = 0;
function report(file, line, text) {
  console.log(`${file}:${line}: ${text}`);
  wrong += 1;
}
for (const file of documents) {
  const here = dirname(file) === '.' ? '' : `${dirname(file)}/`;
  let fenced = false;
  readFileSync(root + file, 'utf8').split('\n').forEach((text, index) => {
    if (/^\s*```/.test(text)) fenced = !fenced;
    if (fenced) return;
    const line = index + 1;
    for (const [, target] of text.replace(/`[^`]*`/g, '``').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split('#');
      const to = path ? normalize(join(here, path)).replace(/\/$/, '') : file;
      if (!present.has(to) && !MADE.test(to)) report(file, line, `no such file: ${target}`);
      else if (anchor && to.endsWith('.md') && !statSync(root + to).isDirectory() && !anchors(to).has(anchor)) report(file, line, `no such heading: ${target}`);
    }
    for (const [, quoted] of text.matchAll(/`([^`\s]+)`/g)) {
      // A place in a path that a reader fills in (<noun>, NAME, ..) names no file.
      const path = quoted.replace(/^\.\//, '').replace(/:\d+$/, '').replace(/\/$/, '');
      if (/[<>$()"'=@…]|\.\.|^\/|^[a-z]+:\/\/|[A-Z]{4,}$/.test(path) || MADE.test(path)) continue;
      const isPath = path.includes('/') ? folders.has(path.split('/')[0]) && (ENDS.test(path) || quoted.endsWith('/') || /^(src|docs|infra|tests|web|load|k8s|fuzz|migrations|\.ci)\//.test(path)) : false;
      if (!isPath) continue;
      for (const one of braces(path)) {
        if (![here, ...BASES].some((base) => matches(normalize(base + one)))) report(file, line, `no such path: ${quoted}`);
      }
    }
  });
}
process.exitCode = wrong ? 1 : 0;
