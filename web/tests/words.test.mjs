import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson } from './support/api.mjs';
import {
  closeBrowser,
  DESKTOP,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  withPages,
} from './support/browser.mjs';
import { aWorld, everyState } from './support/states.mjs';

before(openBrowser);
after(closeBrowser);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];
/** Of no language: whom and what the page of parts shows, the brand, languages by their own names, what the tests wrote, what they call themselves. */
const NAMES = [
  'Inês Duarte',
  'Tomás Reyes',
  'Glazed bowl, sea green',
  'Green',
  'Red',
  'bowl.png',
  'cup.png',
  'note.png',
  'plaza',
  'English',
  'Deutsch',
  'example.org',
  'https',
  '.png',
  'node',
  'EUR',
  'USD',
  'GBP',
  'JPY',
];

/** In the page: every word that is read or heard, but for times, keys, names of components, and what people have written or write. */
function everyText() {
  const people = 'code, .avatar, .byline, [role=option], .product-title, .prose, .clipped';
  const skipped = `script, style, noscript, time, kbd, textarea, ${people}`;
  const texts = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode())
    if (!walk.currentNode.parentElement.closest(skipped)) texts.push(walk.currentNode.data);
  const attributes = ['aria-label', 'title', 'placeholder', 'alt'];
  const labels = [...document.querySelectorAll(attributes.map((name) => `[${name}]`).join())]
    // A link out of plaza has its address for a title.
    .filter((each) => !each.matches('time, a[target=_blank][title]'))
    .flatMap((each) => attributes.map((name) => each.getAttribute(name) ?? ''));
  return [texts.join(''), ...labels, document.title];
}

/** What is left of a text without messages, which the made-up language puts in brackets, and without short numbers ("1.3K") and what people wrote. */
function outside(text, data) {
  let [left, before] = [text, ''];
  while (left !== before) [before, left] = [left, left.replace(/⟦[^⟦⟧]*⟧/gu, ' ')];
  left = left.replace(/\d\s?[km](?!\p{L})/giu, ' ');
  for (const each of data) left = left.replaceAll(each, ' ');
  return left.replace(/[^\p{L}]+/gu, ' ').trim();
}

test(
  'no word of a page stands outside of the catalogue, and no page is too wide with longer words or from right to left',
  withPages({ expected: BROKEN }, async (open) => {
    const world = await aWorld();
    // Whatever begins like this was written for this test.
    const data = [
      ...world.data,
      ...NAMES,
      'words',
      'quote',
      'lamp',
      'glow',
      'gone',
      'lost',
      'dark',
      'line',
    ];
    const written = [
      ...data,
      'one',
      'two',
      'dunes',
      'image',
      'long',
      'Hidden',
      'Fresh',
      'Qx',
      'qx',
    ].sort((a, b) => b.length - a.length);
    const strange = async (pages) => {
      const it = await open(pages);
      await it.context.addInitScript(() => localStorage.setItem('plaza.language', 'ar-XB'));
      return it;
    };
    let states = 0;
    await everyState(strange, world, async (page, state) => {
      states += 1;
      const left = (await page.evaluate(everyText)).map((text) => outside(text, written));
      assert.deepEqual(left.filter(Boolean), [], state);
      for (const direction of ['rtl', 'ltr'])
        for (const viewport of [PHONE, DESKTOP]) {
          await page.setViewportSize(viewport);
          await page.evaluate((dir) => (document.documentElement.dir = dir), direction);
          await fitsSideways(page).catch((error) => {
            throw new Error(`${state}, ${direction}, ${viewport.width}: ${error.message}`);
          });
        }
      await page.evaluate(() => (document.documentElement.dir = 'rtl'));
    });
    assert.ok(states > 40, `${states}`);
  }),
);

test(
  'a browser that prefers German gets German, and settings choose another language for good',
  withPages({ locale: 'de-DE' }, async (open) => {
    const me = await newPerson('Grete Beispiel');
    await me.offer('Lampe', { amount: '123450' });
    const { page, goto } = await open();
    await goto('/login');
    await page.getByLabel('Kürzel', { exact: true }).fill(me.handle);
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
    await page.getByLabel('Passwort').fill('this one is wrong');
    await page.getByRole('button', { name: 'Anmelden' }).click();
    await page.getByText('Name oder Passwort sind falsch.').first().waitFor();
    await page.getByLabel('Passwort').fill(me.password);
    await page.getByRole('button', { name: 'Anmelden' }).click();
    await page.getByLabel('Dein Beitrag').waitFor();
    await goto('/shop');
    await page.getByText('1.234,50 €').first().waitFor();

    await goto('/settings');
    await page.getByText('noch 500 Zeichen').waitFor();
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Appearance' }).waitFor();
    await page.getByText('500 characters left').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Appearance' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await page.getByRole('button', { name: 'Deutsch' }).click();
    await page.getByRole('heading', { name: 'Aussehen' }).waitFor();

    // Who prefers a language that there is none of gets English.
    const other = await open({ locale: 'fr-FR' });
    await logIn(other, me);
  }),
);
