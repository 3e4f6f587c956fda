// Writes docs/schema-changelog.md: how schema.graphql differs from released.graphql, found by comparing the two, and below it what earlier releases
// brought. `node schema/changelog.mjs` writes it, and the test checks that it is as new. `node schema/changelog.mjs --release 1.2.0` gives what is
// unreleased that name, and makes the schema the released one.
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isScalarType, isUnionType } from 'graphql';
import { ChangeType, CriticalityLevel, diff } from '@graphql-inspector/core';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const SCHEMA = path('../../../schema.graphql');
const RELEASED = path('released.graphql');
export const PAGE = path('../../../docs/schema-changelog.md');

const HEAD = [
  '# Changes of the schema',
  '',
  'Generated from `schema.graphql` and the schema of the last release by `tests/clients/schema/changelog.mjs`; not written by hand.',
  '[What clients can count on](clients/README.md#changes-of-the-schema) says how long what is deprecated stays.',
  '',
];
const UNRELEASED = '## Unreleased';

const kind = (type) => {
  if (isEnumType(type)) return 'enum';
  if (isInputObjectType(type)) return 'input';
  if (isScalarType(type)) return 'scalar';
  if (isInterfaceType(type)) return 'interface';
  return isUnionType(type) ? 'union' : 'type';
};
const oneLine = (text) => text.replace(/\s+/g, ' ').trim();

/** The lines of a comparison. Descriptions are no changes for a client, nor is what belongs to a type or a field that is new as a whole. */
export async function changes(before, after) {
  const told = (await diff(before, after)).filter(({ type }) => !/DESCRIPTION|DIRECTIVE_USAGE/.test(type));
  const newFields = new Set(told.filter(({ type }) => type === ChangeType.FieldAdded).map((change) => change.path));
  const isOfNewField = ({ type, path }) => type === ChangeType.FieldArgumentAdded && newFields.has(path.split('.').slice(0, 2).join('.'));
  const isNewType = (name) => !before.getType(name) && after.getType(name);
  const of = (change) => (change.path ?? '').split('.')[0];
  const groups = { Breaking: [], Deprecated: [], 'To look at': [], Added: [] };
  for (const change of told) {
    const { type, message, criticality } = change;
    const isWhole = type === ChangeType.TypeAdded;
    if (isNewType(of(change)) && !isWhole) continue;
    if (isOfNewField(change)) continue;
    const line = isWhole ? `${kind(after.getType(of(change)))} \`${of(change)}\`` : oneLine(message);
    if (criticality.level === CriticalityLevel.Breaking) groups.Breaking.push(line);
    else if (/DEPRECAT/.test(type)) groups.Deprecated.push(line);
    else if (criticality.level === CriticalityLevel.Dangerous) groups['To look at'].push(line);
    else groups.Added.push(line);
  }
  const lines = [];
  for (const [title, members] of Object.entries(groups)) {
    if (!members.length) continue;
    lines.push(`### ${title}`, '', ...[...new Set(members)].sort().map((line) => `- ${line}`), '');
  }
  return lines.length ? lines : ['Nothing.', ''];
}

/** What the page has below what is unreleased. */
function earlier() {
  if (!existsSync(PAGE)) return [];
  const lines = readFileSync(PAGE, 'utf8').trimEnd().split('\n');
  const first = lines.findIndex((line) => line.startsWith('## ') && line !== UNRELEASED);
  return first < 0 ? [] : [...lines.slice(first), ''];
}

const read = (file) => buildSchema(readFileSync(file, 'utf8'));
export async function changelog() {
  const unreleased = await changes(read(RELEASED), read(SCHEMA));
  return `${[...HEAD, UNRELEASED, '', ...unreleased, ...earlier()].join('\n').trimEnd()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = await changelog();
  const at = process.argv.indexOf('--release');
  if (at < 0) writeFileSync(PAGE, page);
  else {
    const version = process.argv[at + 1];
    if (!/^\d+\.\d+\.\d+$/.test(version ?? '')) throw new Error('--release takes a version: 1.2.0');
    const day = new Date().toISOString().slice(0, 10);
    writeFileSync(PAGE, page.replace(UNRELEASED, `${UNRELEASED}\n\nNothing.\n\n## ${version}, ${day}`));
    copyFileSync(SCHEMA, RELEASED);
  }
}
