// The examples of the documents hold: every fenced `sh` block parses, each `make` in it (and in
// back quotes) is a command that make would run, each npm script is one of its package's, each path
// is there; every fenced `graphql` block is valid by schema.graphql. Which subcommands and flags
// `plaza` has is asked of the executable itself, by tests/it/commands.rs.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { root } from './files.mjs';
import { documents, isPath, isThere, present } from './paths.mjs';

let wrong = 0;
function report(file, line, text) {
  console.log(`${file}:${line}: ${text}`);
  wrong += 1;
}

/** Fenced blocks, with their language and the line that they begin at. */
function* blocks(text) {
  let block = null;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (!fence) block?.lines.push(line);
    else if (block) {
      yield { ...block, text: block.lines.join('\n') };
      block = null;
    } else block = { language: fence[1], line: index + 2, lines: [] };
  }
}

const WORDS = /&&|\|\|?|;|(?:"[^"]*"|'[^']*'|[^\s;|&"'])+/g;

/** The commands of a line of shell, as words: enough for what documents show, which is no program. */
function commands(line) {
  const words = line.replace(/(^|\s)#.*$/, '').match(WORDS) ?? [];
  const found = [[]];
  for (const word of words) {
    if (/^(&&|\|\|?|;)$/.test(word)) found.push([]);
    else if (found.at(-1).length || !/^[A-Z_]+=/.test(word)) found.at(-1).push(word);
  }
  return found.filter((command) => command.length);
}

const unquoted = (word) => word.replace(/["']/g, '');

const made = new Map();
/** What make says against the words after it; empty when it would run them. */
function refusalOfMake(words) {
  const key = words.join(' ');
  if (!made.has(key)) {
    const options = { cwd: root, encoding: 'utf8' };
    const { status, stderr } = spawnSync('make', ['--dry-run', ...words.map(unquoted)], options);
    made.set(key, status === 0 ? '' : stderr.trim().split('\n').at(-1));
  }
  return made.get(key);
}

function checkMake(file, line, words) {
  // What a reader fills in, and families of targets.
  if (words.some((word) => /[…<>]|\.\./.test(word))) return;
  const refusal = refusalOfMake(words);
  if (refusal) report(file, line, `make ${words.join(' ')}: ${refusal}`);
}

function scriptsNear(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = folder === '.' ? 'package.json' : `${folder}/package.json`;
    if (present.has(path)) return JSON.parse(readFileSync(root + path, 'utf8')).scripts ?? {};
    if (folder === '.') return null;
  }
}

function checkNpm(file, line, [verb, name]) {
  const script = verb === 'run' ? name : verb === 'test' ? 'test' : null;
  const scripts = script && scriptsNear(file);
  if (scripts && !scripts[script]) report(file, line, `no such npm script: ${script}`);
}

function checkShell(file, { line, text }) {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
  if (status !== 0) report(file, line, stderr.trim());
  const here = dirname(file) === '.' ? '' : `${dirname(file)}/`;
  for (const [index, each] of text.split('\n').entries()) {
    for (const [program, ...words] of commands(each)) {
      if (program === 'make') checkMake(file, line + index, words);
      if (program === 'npm') checkNpm(file, line + index, words);
      for (const word of [program, ...words]) {
        if (isPath(word) && !isThere(word, here))
          report(file, line + index, `no such path: ${word}`);
      }
    }
  }
}

const { buildSchema, parse, specifiedRules, validate } = createRequire(`${root}web/`)('graphql');
const schema = buildSchema(readFileSync(`${root}schema.graphql`, 'utf8'));
// A block shows several operations, each to be sent by itself.
const rules = specifiedRules.filter(({ name }) => !/Anonymous|UniqueOperation/.test(name));

function checkGraphql(file, { line, text }) {
  let errors;
  try {
    errors = validate(schema, parse(text), rules);
  } catch (error) {
    errors = [error];
  }
  for (const { message, locations } of errors) {
    report(file, line + (locations?.[0]?.line ?? 1) - 1, message);
  }
}

let seen = 0;
for (const file of documents) {
  const text = readFileSync(root + file, 'utf8');
  for (const block of blocks(text)) {
    if (block.language === 'sh') checkShell(file, block);
    else if (block.language === 'graphql') checkGraphql(file, block);
    else continue;
    seen += 1;
  }
  for (const [index, line] of text.split('\n').entries()) {
    for (const [, words] of line.matchAll(/`make ([^`]+)`/g)) {
      checkMake(file, index + 1, commands(`make ${words}`)[0].slice(1));
    }
  }
}
console.log(`${seen} blocks, ${made.size} commands of make`);
if (seen === 0) report('README.md', 1, 'no block was found');
process.exitCode = wrong ? 1 : 0;
