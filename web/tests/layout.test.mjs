import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import { closeBrowser, DESKTOP, logIn, openBrowser, PHONE, withPages } from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

/** Three screens down, by the wheel, as a reader goes. */
async function scrollThreeScreens(page) {
  const wanted = await page.evaluate(() => innerHeight * 3);
  while ((await page.evaluate(() => scrollY)) < wanted) {
    await page.mouse.wheel(0, 600);
    await page.waitForFunction(
      (before) =>
        scrollY > before || scrollY + innerHeight >= document.documentElement.scrollHeight,
      await page.evaluate(() => scrollY - 1),
    );
  }
}

for (const [name, viewport] of [
  ['desktop', DESKTOP],
  ['phone', PHONE],
]) {
  test(
    `the navigation stays in sight after three screens, on a ${name}`,
    withPages({ viewport }, async (open) => {
      const [author, reader] = await Promise.all([
        newPerson('Ada Author'),
        newPerson('Rita Reader'),
      ]);
      await reader.follow(author.id);
      for (let number = 1; number <= 40; number += 1)
        await author.post(`Post number ${number}.\n\nWith a second paragraph.`);
      await author.offer('A thing beside the page');
      const { page, goto } = await open();
      await logIn({ page, goto }, reader);
      await page.getByText('Post number 40.').waitFor();
      await page.mouse.move(viewport.width / 2, viewport.height / 2);
      await scrollThreeScreens(page);
      const box = await page.getByRole('navigation', { name: 'plaza' }).boundingBox();
      assert.ok(
        box.y >= 0 && box.y + box.height <= viewport.height + 1,
        `the navigation is at ${box.y}, ${box.height} px high, in a window of ${viewport.height}`,
      );
      if (viewport === DESKTOP) {
        const side = await page.getByRole('complementary').boundingBox();
        assert.ok(
          side.y >= 0 && side.y < viewport.height,
          `the column beside the page is at ${side.y}`,
        );
      }
      await page.getByRole('link', { name: 'Search' }).click();
      await page.getByRole('heading', { name: 'Search' }).waitFor();
    }),
  );
}
