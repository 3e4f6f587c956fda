import { after, before, test } from 'node:test';
import { audited } from './support/axe.mjs';
import { closeBrowser, openBrowser, withPages } from './support/browser.mjs';
import { aWorld, everyState } from './support/states.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];

test(
  'every page and every state is accessible, light and dark, wide and narrow',
  withPages({ expected: BROKEN }, async (open) => everyState(open, await aWorld(), audited)),
);
