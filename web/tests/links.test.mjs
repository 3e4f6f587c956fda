// Addresses in texts, by a generator: whatever is around an address, the pieces are the text again, and the address is the link.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { transformWithEsbuild } from 'vite';

const source = await readFile(new URL('../demo/parts/links.ts', import.meta.url), 'utf8');
const { code } = await transformWithEsbuild(source, 'links.ts');
const { pieces, withoutGaps } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

/** Numbers that look random, the same each time. */
function numbers(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

const HOSTS = [
  'example.org',
  'www.example.org',
  'sub.example.co.uk',
  'xn--bcher-kva.example',
  'bücher.example',
  '192.0.2.7',
  'example.org:8443',
];
const PATHS = [
  '',
  '/',
  '/a/b.html',
  '/a_(b)',
  '/?q=1&r=2',
  '/#part',
  '/käse',
  '/a%20b',
  '/@name',
  '/x,y;z',
];
const BEFORE = ['', 'See ', '(', 'Look: ', '\n', '„', '*', '- ', 'שלום '];
const AFTER = [
  '',
  ' and so on',
  '.',
  ', then',
  ')',
  '!',
  '?',
  '…',
  '\nnext',
  ' (or not)',
  '".',
  '>',
  '”',
];

test('an address is found whatever is around it, and nothing of the text is lost', () => {
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const next = numbers(seed);
    const pick = (list) => list[next(list.length)];
    const address = `${pick(['http://', 'https://', 'HTTPS://'])}${pick(HOSTS)}${pick(PATHS)}`;
    const text = `${pick(BEFORE)}${address}${pick(AFTER)}`;
    const found = pieces(text);
    assert.equal(found.map((piece) => piece.text).join(''), text);
    const links = found.filter(({ href }) => href);
    assert.deepEqual(
      links.map((piece) => piece.text),
      [address],
      JSON.stringify(text),
    );
    assert.match(new URL(links[0].href).protocol, /^https?:$/);
  }
});

test('what only looks like an address is words', () => {
  for (const text of [
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://example.org/',
    'example.org',
    'https://',
    'https://localhost/',
    'https://.',
    'http://..',
    'https://plaza.example@evil.example/',
    'https://user:word@example.org/',
    'xhttps://example.org',
    'me@https://example.org',
    'https:/example.org',
    'vbscript://example.org',
  ]) {
    assert.deepEqual(pieces(text), [{ text }], text);
  }
});

test('blank lines are collapsed, all else is as it was', () => {
  assert.equal(withoutGaps(`a${'\n'.repeat(60)}b`), 'a\n\nb');
  assert.equal(withoutGaps('a\n  \n\t\n \nb'), 'a\n\nb');
  for (const text of ['a\nb', 'a\n\nb', '', '\n', 'a  b\n c'])
    assert.equal(withoutGaps(text), text);
});
