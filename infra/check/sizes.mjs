// Files of at most 420 lines, Rust of at most 100 columns but for lines with a string in them, which rustfmt leaves as they are. What is larger today
// is listed in sizes.txt, and may not grow; `node infra/check/sizes.mjs --write` lists it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { files, root } from './files.mjs';

const LINES = 420;
const COLUMNS = 100;
const list = `${root}infra/check/sizes.txt`;

const listed = new Map();
for (const line of readFileSync(list, 'utf8').split('\n')) {
  const [rule, number, file] = line.split(' ');
  if (file && !line.startsWith('#')) listed.set(`${rule} ${file}`, Number(number));
}
const found = [];
for (const file of files.filter((file) => /\.(rs|ts|tsx|sh)$/.test(file))) {
  const lines = readFileSync(root + file, 'utf8')
    .replace(/\n$/, '')
    .split('\n');
  if (lines.length > LINES) found.push(['lines', lines.length, file]);
  if (!file.endsWith('.rs')) continue;
  const wide = lines.filter(
    (line) => [...line].length > COLUMNS && (!line.includes('"') || /^\s*\/\//.test(line)),
  );
  if (wide.length) found.push(['wide', wide.length, file]);
}

if (process.argv.includes('--write')) {
  const head = readFileSync(list, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('#'));
  // Room for a line here and there.
  const room = (rule, number) => (rule === 'lines' ? Math.ceil(number / 20) * 20 : number);
  const rows = found.map(([rule, number, file]) => `${rule} ${room(rule, number)} ${file}`).sort();
  writeFileSync(list, `${[...head, ...rows].join('\n')}\n`);
  process.exit();
}
const bounds = { lines: `lines: at most ${LINES}`, wide: `lines wider than ${COLUMNS}: none` };
let grown = 0;
for (const [rule, number, file] of found) {
  const most = listed.get(`${rule} ${file}`);
  if (most !== undefined && number <= most) continue;
  console.log(
    `${file}: ${number} ${bounds[rule]}${most === undefined ? '' : `, or the ${most} of infra/check/sizes.txt`}`,
  );
  grown += 1;
}
process.exitCode = grown ? 1 : 0;
