import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { inEveryLook } from './looks.mjs';

const source = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), {
  encoding: 'utf8',
});
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** In the page: what axe finds, shortly; and which of the exceptions it has met. */
async function violations([tags, exceptions]) {
  // Colours on their way from one to another are neither. What turns for ever is not waited for.
  const ends = document
    .getAnimations()
    .filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime));
  await Promise.allSettled(ends.map(({ finished }) => finished));
  // How wide a time is must not depend on the minute in which this runs: the narrowest they get.
  for (const time of document.querySelectorAll('.post-time time')) {
    if (time.firstChild) time.firstChild.nodeValue = '1m';
  }
  const found = await globalThis.axe.run(document, {
    runOnly: { type: 'tag', values: tags },
    resultTypes: ['violations'],
    elementRef: true,
  });
  const all = found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary, element }) => ({
      text: `${id}: ${html.slice(0, 200)} (${failureSummary})`,
      exception: exceptions.findIndex(({ rule, at }) => rule === id && element?.matches(at)),
    })),
  );
  return {
    wrong: all.filter(({ exception }) => exception < 0).map(({ text }) => text),
    met: all.map(({ exception }) => exception).filter((exception) => exception >= 0),
  };
}

/**
 * Finds nothing wrong with what the page shows, in every look, but for exceptions, and marks those
 * that it meets: `{ rule, at, only, why }`, `at` a selector, `only` the state that it is for, if it
 * is for one alone.
 */
export async function audited(page, state, exceptions = []) {
  const here = exceptions.filter(({ only = state }) => only === state);
  await inEveryLook(page, async (look) => {
    await page.evaluate(`window.axe ?? (() => { ${source} })()`);
    const { wrong, met } = await page.evaluate(violations, [TAGS, here]);
    for (const index of met) here[index].met = true;
    assert.deepEqual(wrong, [], `${state}, ${look}`);
  });
}

/** Fails when an exception is not needed any more: then it goes. */
export function allMet(exceptions) {
  const idle = exceptions.filter(({ met }) => !met).map(({ rule, at }) => `${rule} at ${at}`);
  assert.deepEqual(idle, [], 'exceptions that nothing needs any more');
}
