// The collection for Bruno is what README.md shows, and fits the schema.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { FOLDER, collection } from './bruno.mjs';

test('clients/bruno is made of the first queries of README.md', () => {
  const there = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = collection();
  assert.equal(there.length, files.size, 'run `node tests/clients/bruno.mjs`');
  for (const [name, text] of files) assert.equal(readFileSync(FOLDER + name, 'utf8'), text, `${name}: run \`node tests/clients/bruno.mjs\``);
});

test('every request is valid, and uses only what is set before it', () => {
  const schema = buildSchema(readFileSync(fileURLToPath(new URL('../../schema.graphql', import.meta.url)), 'utf8'));
  const set = new Set(['url', 'handle', 'password']);
  const requests = [...collection()].filter(([name]) => name.endsWith('.bru') && !/collection|environments/.test(name));
  assert.ok(requests.length >= 7);
  for (const [name, text] of requests) {
    const [, query] = /^body:graphql \{\n(.*?)\n\}$/ms.exec(text);
    assert.deepEqual(validate(schema, parse(query)).map(({ message }) => message), [], name);
    for (const [, used] of text.matchAll(/\{\{(\w+)\}\}/g)) assert.ok(set.has(used), `${name} uses ${used}`);
    for (const [, variable] of text.matchAll(/bru\.setVar\("(\w+)"/g)) set.add(variable);
  }
  assert.ok(set.has('token'));
});
