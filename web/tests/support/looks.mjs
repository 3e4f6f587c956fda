import { DESKTOP, PHONE } from './browser.mjs';

/** How the same state can look. */
const LOOKS = [
  ['desktop, light', DESKTOP, 'light'],
  ['desktop, dark', DESKTOP, 'dark'],
  ['phone, light', PHONE, 'light'],
  ['phone, dark', PHONE, 'dark'],
];
export const NAMES = LOOKS.map(([name]) => name);

/** Calls back for each look of what the page shows, with its name. It stays in the last. */
export async function inEveryLook(page, visit) {
  for (const [name, viewport, colorScheme] of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await visit(name);
  }
}
