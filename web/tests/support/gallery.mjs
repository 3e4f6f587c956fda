// Pictures of every state in every look, and a page that shows them side by side.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inEveryLook, NAMES } from './looks.mjs';

/** A name for files, without what differs from run to run. */
const slug = (text) =>
  text
    .replace(/_[0-9a-f]{8}/g, '')
    .replace(/[^a-z0-9]+/gi, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();

const escaped = (text) => text.replace(/[&<"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** A folder of pictures; `finish` writes its page. */
export function gallery(folder) {
  const rows = [];
  return {
    visit: async (page, state, { fullPage = true } = {}) => {
      await mkdir(folder, { recursive: true });
      const name = `${String(rows.length + 1).padStart(3, '0')}-${slug(state)}`;
      rows.push({ state, name });
      await inEveryLook(page, async (look) => {
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({
          path: join(folder, `${name}-${slug(look)}.png`),
          animations: 'disabled',
          fullPage,
        });
      });
    },
    finish: async () => {
      const shown = rows.map(({ state, name }) => {
        const images = NAMES.map((look) => {
          const label = escaped(`${state}, ${look}`);
          return `<img src="${name}-${slug(look)}.png" alt="${label}" title="${label}" />`;
        });
        return `<section><h2>${escaped(state)}</h2><div>${images.join('')}</div></section>`;
      });
      const style = `body { font: 16px sans-serif; margin: 24px; background: #888; }
        div { display: flex; gap: 16px; align-items: start; } img { width: 24%; }`;
      const head = `<meta charset="utf-8" /><title>Every state</title><style>${style}</style>`;
      await writeFile(
        join(folder, 'index.html'),
        `<!doctype html><html lang="en">${head}<h1>Every state, in every look</h1>${shown.join('')}`,
      );
    },
  };
}
