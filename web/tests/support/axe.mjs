import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { DESKTOP, PHONE } from './browser.mjs';

const source = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), {
  encoding: 'utf8',
});
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** How the same state can look. */
const LOOKS = [
  ['desktop, light', DESKTOP, 'light'],
  ['desktop, dark', DESKTOP, 'dark'],
  ['phone, light', PHONE, 'light'],
  ['phone, dark', PHONE, 'dark'],
];

/** In the page: what axe finds, shortly. */
async function violations(tags) {
  // Colours on their way from one to another are neither.
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const found = await globalThis.axe.run(document, {
    runOnly: { type: 'tag', values: tags },
    resultTypes: ['violations'],
  });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} (${failureSummary})`),
  );
}

/** Finds nothing wrong with what the page shows, in every look. */
export async function audited(page, state, looks = LOOKS) {
  for (const [look, viewport, colorScheme] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(`window.axe ?? (() => { ${source} })()`);
    assert.deepEqual(await page.evaluate(violations, TAGS), [], `${state}, ${look}`);
  }
}
