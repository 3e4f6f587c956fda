import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PAGE, reference } from './reference.mjs';

test('docs/schema.md is what schema.graphql says', () => {
  assert.ok(readFileSync(PAGE, 'utf8') === reference(), 'run `make schema`');
});
