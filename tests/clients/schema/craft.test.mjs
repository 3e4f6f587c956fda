// The schema's craft: linted by the rules that clients' tools stand on, compiled against by Relay, and never broken without being told.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema } from 'graphql';
import { ChangeType, CriticalityLevel, diff } from '@graphql-inspector/core';
import { ESLint } from 'eslint';
import graphqlPlugin from '@graphql-eslint/eslint-plugin';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const SCHEMA = path('../../../schema.graphql');

test('graphql-eslint finds nothing: recommended and Relay rules', async () => {
  const eslint = new ESLint({
    cwd: path('../../..'),
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        plugins: { '@graphql-eslint': graphqlPlugin },
        languageOptions: { parser: graphqlPlugin.parser, parserOptions: { graphQLConfig: { schema: SCHEMA } } },
        // What is relaxed here stands in docs/clients/README.md too.
        rules: {
          ...graphqlPlugin.configs['flat/schema-recommended'].rules,
          ...graphqlPlugin.configs['flat/schema-relay'].rules,
          // Payloads, page infos and values (Money, RateLimit ..) are not nodes: only what can be fetched again has an id.
          '@graphql-eslint/strict-id-in-types': 'off',
          // The names that clients rely on are fixed by the design: `userErrors` is a list without edges.
          '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false }],
          // Relay's argument rule wants backward pages too; lists here go forward only, and say so.
          '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
          // Fields and arguments too, not types alone. (The enum `ErrorCode` is reached by no field: it documents `extensions.code`.)
          '@graphql-eslint/require-description': ['error', { types: true, FieldDefinition: true, EnumValueDefinition: true }],
          '@graphql-eslint/no-unreachable-types': 'off',
        },
      },
    ],
  });
  const [result] = await eslint.lintFiles([SCHEMA]);
  assert.deepEqual(result.messages.map(({ ruleId, message, line }) => `${line}: ${ruleId}: ${message}`), []);
});

/** Breaking changes, but for fields that were deprecated until a day that is past. */
async function breaks(before, after, today = new Date().toISOString().slice(0, 10)) {
  const changes = await diff(before, after);
  const isDue = ({ type, path: at }) => {
    const [name, field] = at.split('.');
    const reason = type === ChangeType.FieldRemoved && before.getType(name)?.getFields()[field]?.deprecationReason;
    const [, day] = /Removed after (\d{4}-\d{2}-\d{2})\.$/.exec(reason || '') ?? [];
    return day !== undefined && day < today;
  };
  return changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking && !isDue(change)).map((change) => change.message);
}

test('nothing that the last release had is broken', async () => {
  const read = (file) => buildSchema(readFileSync(file, 'utf8'));
  assert.deepEqual(await breaks(read(path('released.graphql')), read(SCHEMA)), []);
});

test('a deprecated field may go when its day is past, and not before', async () => {
  const before = buildSchema('type Query { kept: Int old: Int @deprecated(reason: "Use `kept`. Removed after 2027-06-30.") bare: Int @deprecated }');
  const without = (field) => buildSchema(`type Query { kept: Int ${['old: Int', 'bare: Int'].filter((text) => !text.startsWith(field)).join(' ')} }`);
  assert.deepEqual(await breaks(before, without('old'), '2027-07-01'), []);
  assert.equal((await breaks(before, without('old'), '2027-06-30')).length, 1);
  assert.equal((await breaks(before, without('bare'), '2099-01-01')).length, 1);
});

test('a planted break is seen', async () => {
  const released = readFileSync(path('released.graphql'), 'utf8');
  const changes = await diff(buildSchema(released), buildSchema(released.replace('displayName: String!', 'shownName: String!')));
  assert.ok(changes.some((change) => change.criticality.level === CriticalityLevel.Breaking));
});

test('Relay compiles fragments against it', () => {
  const said = execFileSync(path('../node_modules/.bin/relay-compiler'), ['--repersist', path('../relay/relay.config.json')], {
    cwd: path('../relay'),
    encoding: 'utf8',
  });
  assert.match(said, /compiled documents/i);
});
