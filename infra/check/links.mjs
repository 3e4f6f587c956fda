// Every relative link of the documents leads to a file, and to a heading of it where it names one; every path in back quotes is there.
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { root } from './files.mjs';
import { documents, isPath, isThere, MADE, present } from './paths.mjs';

function anchors(file) {
  const seen = new Map();
  return new Set(
    readFileSync(root + file, 'utf8')
      .replace(/^```[^]*?^```/gm, '')
      .split('\n')
      .filter((line) => /^#+ /.test(line))
      .map((line) => {
        const text = line.replace(/^#+ /, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
        const slug = text
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
          .trim()
          .replaceAll(' ', '-');
        const times = seen.get(slug) ?? 0;
        seen.set(slug, times + 1);
        return times ? `${slug}-${times}` : slug;
      }),
  );
}

let wrong = 0;
function report(file, line, text) {
  console.log(`${file}:${line}: ${text}`);
  wrong += 1;
}
for (const file of documents) {
  const here = dirname(file) === '.' ? '' : `${dirname(file)}/`;
  let fenced = false;
  readFileSync(root + file, 'utf8')
    .split('\n')
    .forEach((text, index) => {
      if (/^\s*```/.test(text)) fenced = !fenced;
      if (fenced) return;
      const line = index + 1;
      for (const [, target] of text.replace(/`[^`]*`/g, '``').matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path, anchor] = target.split('#');
        const to = path ? normalize(join(here, path)).replace(/\/$/, '') : file;
        if (!present.has(to) && !MADE.test(to)) report(file, line, `no such file: ${target}`);
        else if (
          anchor &&
          to.endsWith('.md') &&
          !statSync(root + to).isDirectory() &&
          !anchors(to).has(anchor)
        )
          report(file, line, `no such heading: ${target}`);
      }
      for (const [, quoted] of text.matchAll(/`([^`\s]+)`/g)) {
        if (isPath(quoted) && !isThere(quoted, here)) report(file, line, `no such path: ${quoted}`);
      }
    });
}
process.exitCode = wrong ? 1 : 0;
