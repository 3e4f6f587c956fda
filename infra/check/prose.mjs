// Documents have lines of at most 100 columns outside tables, code and links, and neither they nor
// the schema's descriptions use a word of banned-words.txt. Generated documents are held by the
// schema, the results and the metrics that they come from.
import { readFileSync } from 'node:fs';
import { files, root } from './files.mjs';

const COLUMNS = 100;
const GENERATED = /^docs\/(schema|schema-changelog|dashboards|PROGRESS|configuration)\.md$/;
const documents = files.filter((file) => /^(docs\/|migrations\/)?[^/]*\.md$|^docs\/.*\.md$/.test(file) && !GENERATED.test(file));

const read = (file) => readFileSync(root + file, 'utf8');
const banned = read('infra/check/banned-words.txt').split('\n').filter((line) => line && !line.startsWith('#'));
const isBanned = new RegExp(`(?<![\\p{L}\\p{N}_])(${banned.join('|')})(?![\\p{L}\\p{N}_])`, 'giu');

let wrong = 0;
function report(file, line, text) {
  console.log(`${file}:${line}: ${text}`);
  wrong += 1;
}

function words(file, line, text) {
  const prose = text.replace(/`[^`]*`/g, '').replace(/\]\([^)]*\)/g, ']').replace(/<[^>]*>/g, '');
  for (const [word] of prose.matchAll(isBanned)) report(file, line, `"${word}" is in infra/check/banned-words.txt`);
}

for (const file of documents) {
  let isFenced = false;
  let isGenerated = false;
  read(file).split('\n').forEach((text, index) => {
    if (/^\s*```/.test(text)) isFenced = !isFenced;
    if (text.startsWith('<!-- ')) isGenerated = text.includes('written by');
    if (isFenced || isGenerated) return;
    words(file, index + 1, text);
    if (/^\s*\||^#|^!\[/.test(text)) return;
    const width = [...text.replace(/\]\([^)]*\)/g, ']()')].length;
    if (width > COLUMNS) report(file, index + 1, `${width} columns, at most ${COLUMNS}`);
  });
}

let isDescription = false;
read('schema.graphql').split('\n').forEach((text, index) => {
  if (text.trim() === '"""') isDescription = !isDescription;
  else if (isDescription) words('schema.graphql', index + 1, text);
});

process.exitCode = wrong ? 1 : 0;
