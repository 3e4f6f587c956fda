import { after, before, test } from 'node:test';
import { allMet, audited } from './support/axe.mjs';
import { closeBrowser, DESKTOP, fitsSideways, openBrowser, withPages } from './support/browser.mjs';
import { aWorld, everyState } from './support/states.mjs';
import { everyGraphiqlState, everyOperatorState } from './support/tools.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];

test(
  'every page and every state is accessible, light and dark, wide and narrow',
  withPages({ expected: BROKEN }, async (open) => everyState(open, await aWorld(), audited)),
);

/** What is wrong within GraphiQL itself, and cannot be mended from outside. */
const IN_GRAPHIQL = [
  {
    rule: 'nested-interactive',
    at: 'li.graphiql-tab',
    why: `A tab has two buttons in it, to choose and to close it. Browsers offer both all the same.
      Other roles would not do: nothing that closes a tab has a place in a tablist.`,
  },
  {
    rule: 'page-has-heading-one',
    at: 'html',
    only: 'GraphiQL: a search in the documentation',
    why: 'While there are proposals all else is inert, the page’s heading too.',
  },
];

test(
  'GraphiQL is accessible in every state, light and dark, wide and narrow',
  withPages({}, async (open) => {
    await everyGraphiqlState(open, async (page, state) => {
      await audited(page, state, IN_GRAPHIQL);
      await fitsSideways(page);
      // What comes next is done where all of it is seen.
      await page.setViewportSize(DESKTOP);
    });
    allMet(IN_GRAPHIQL);
  }),
);

test(
  'the operator’s page is accessible in every state, light and dark, wide and narrow',
  withPages({ expected: BROKEN }, async (open) => everyOperatorState(open, audited)),
);
