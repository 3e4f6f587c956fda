// What changed in the schema is written down, and what is deprecated says until when it stays.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema } from 'graphql';
import { PAGE, changelog, changes } from './changelog.mjs';

const SCHEMA = readFileSync(fileURLToPath(new URL('../../../schema.graphql', import.meta.url)), 'utf8');

test('docs/schema-changelog.md is how schema.graphql differs from the last release', async () => {
  assert.ok(readFileSync(PAGE, 'utf8') === (await changelog()), 'run `make schema`');
});

test('a comparison names what is new, deprecated and gone, and no descriptions', async () => {
  const before = buildSchema('type Query { "Old text." kept: Int gone: Int old: Int } enum Colour { RED }');
  const after = buildSchema(
    'type Query { "New text." kept: Int old: Int @deprecated(reason: "Ask `kept`. Removed after 2030-01-31.") more: Thing } type Thing { a: Int } enum Colour { RED BLUE }',
  );
  const lines = await changes(before, after);
  const under = (title) => {
    const rest = lines.slice(lines.indexOf(`### ${title}`) + 2);
    return rest.slice(0, rest.indexOf(''));
  };
  assert.deepEqual(under('Breaking'), ["- Field 'gone' was removed from object type 'Query'"]);
  assert.match(under('Deprecated').join('\n'), /Query\.old.*deprecat/);
  assert.deepEqual(under('To look at'), ["- Enum value 'BLUE' was added to enum 'Colour'"]);
  assert.deepEqual(under('Added'), ["- Field 'more' was added to object type 'Query'", '- type `Thing`']);
  assert.doesNotMatch(lines.join('\n'), /text|Thing\.a/);
  assert.deepEqual(await changes(after, after), ['Nothing.', '']);
});

/** Everything that carries a deprecation, as `name: reason`. */
function deprecations(schema) {
  const found = [];
  const look = (name, element) => {
    if (element.deprecationReason != null) found.push(`${name}: ${element.deprecationReason}`);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    for (const value of type.getValues?.() ?? []) look(`${type.name}.${value.name}`, value);
    for (const field of Object.values(type.getFields?.() ?? {})) {
      look(`${type.name}.${field.name}`, field);
      for (const argument of field.args ?? []) look(`${type.name}.${field.name}(${argument.name})`, argument);
    }
  }
  return found;
}
// What to ask instead, and the day.
const isDated = (line) => /: .+ Removed after \d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\.$/s.test(line);

test('whatever is deprecated says what takes its place and until when it stays', () => {
  assert.deepEqual(deprecations(buildSchema(SCHEMA)).filter((line) => !isDated(line)), []);
});

test('a deprecation without a day is seen, wherever it is', () => {
  const planted = deprecations(
    buildSchema(`
      type Query {
        dated: Int @deprecated(reason: "Ask \`other\`. Removed after 2030-01-31.")
        bare: Int @deprecated
        argument(old: Int @deprecated(reason: "Gone soon.")): Int
      }
      enum Colour { RED @deprecated(reason: "Removed after 2030-13-01.") BLUE }
      input Filter { old: Int @deprecated(reason: "Use new.") }
    `),
  );
  assert.equal(planted.length, 5);
  assert.equal(planted.filter(isDated).length, 1);
});
