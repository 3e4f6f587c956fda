// Writes docs/schema.md, the schema as a page to read, from schema.graphql. `node schema/reference.mjs` writes it; the test checks that it is as new.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, getNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType, isScalarType, isSpecifiedScalarType } from 'graphql';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const linked = (type) => {
  const named = getNamedType(type);
  return isSpecifiedScalarType(named) ? `\`${type}\`` : `[\`${type}\`](#${named.name.toLowerCase()})`;
};
const told = (text) => (text ?? '').replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();

function fields(type) {
  const lines = ['| field | type | what |', '|---|---|---|'];
  for (const field of Object.values(type.getFields())) {
    const given = (field.args ?? []).map((argument) => `<br>&nbsp;&nbsp;\`${argument.name}\`: ${linked(argument.type)} ${told(argument.description)}`);
    lines.push(`| \`${field.name}\` | ${linked(field.type)} | ${told(field.description)}${given.join('')} |`);
  }
  return lines;
}

function section(type) {
  const lines = [`### ${type.name}`, '', told(type.description), ''];
  if (isObjectType(type) && type.getInterfaces().length) lines.push(`Implements ${type.getInterfaces().map(linked).join(', ')}.`, '');
  if (isEnumType(type)) {
    lines.push('| value | what |', '|---|---|', ...type.getValues().map((value) => `| \`${value.name}\` | ${told(value.description)} |`));
  } else if (!isScalarType(type)) {
    lines.push(...fields(type));
  }
  return [...lines, ''];
}

export function reference() {
  const schema = buildSchema(readFileSync(path('../../../schema.graphql'), 'utf8'));
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter(Boolean);
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type) && !roots.includes(type));
  const groups = [
    ['Queries, mutations, subscriptions', roots],
    ['Types', types.filter((type) => isObjectType(type) || isInterfaceType(type))],
    ['Inputs', types.filter(isInputObjectType)],
    ['Enums', types.filter(isEnumType)],
    ['Scalars', types.filter(isScalarType)],
  ];
  const lines = ['# The schema', '', 'Generated from `schema.graphql` by `tests/clients/schema/reference.mjs`; not written by hand.', ''];
  for (const [title, members] of groups) {
    if (!members.length) continue;
    lines.push(`## ${title}`, '', ...members.sort((a, b) => a.name.localeCompare(b.name, 'en')).flatMap(section));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

export const PAGE = path('../../../docs/schema.md');

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, reference());
