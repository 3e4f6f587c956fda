// Pictures, when PLAZA_PICTURES names a folder: the README's, and in `states/` those of every state in every look.
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN_URL, ask, newPerson } from './support/api.mjs';
import {
  closeBrowser,
  DESKTOP,
  logIn,
  openBrowser,
  PHONE,
  picture,
  untilLive,
  withPages,
} from './support/browser.mjs';
import { gallery } from './support/gallery.mjs';
import { aWorld, everyState } from './support/states.mjs';
import { everyGraphiqlState, everyOperatorState } from './support/tools.mjs';

const folder = process.env.PLAZA_PICTURES;
const skip = folder ? false : 'PLAZA_PICTURES names no folder';

before(openBrowser);
after(closeBrowser);

const article = (page, text) => page.getByRole('article').filter({ hasText: text });

/** Three people who know each other, and what two of them make. */
async function aSquare() {
  const [ines, tomas, reader] = await Promise.all([
    newPerson('Inês Duarte'),
    newPerson('Tomás Reyes'),
    newPerson('Rita Moreno'),
  ]);
  await Promise.all([reader.follow(ines.id), reader.follow(tomas.id), tomas.follow(ines.id)]);
  await ask(
    'mutation($input: ProfileUpdateInput!) { profileUpdate(input: $input) { userErrors { message } } }',
    { input: { bio: 'Bowls, cups and the odd plate. Stall 14, Saturdays.' } },
    ines.token,
  );
  await tomas.offer('Walnut serving board', { amount: '5600' });
  await ines.offer('Six espresso cups', { amount: '4800' });
  const bowl = await ines.offer('Glazed bowl, sea green', {
    amount: '3400',
    description: 'Thrown and glazed by hand. Each comes out of the kiln a little different.',
  });
  const kiln = await ines.post(
    'The kiln is open. Eleven of twelve bowls came out whole, and the twelfth is mine now.',
    bowl,
  );
  await tomas.post(`Going by the market on Saturday. @${ines.handle}, keep one for me?`);
  await Promise.all([reader.like(kiln), tomas.like(kiln)]);
  await tomas.comment(kiln, 'The green one, please.');
  await tomas.post('Rain all morning, then the whole square smelled of stone and oranges.');
  return { ines, reader, bowl };
}

test(
  'the README’s pictures',
  { skip },
  withPages({}, async (open) => {
    const { ines, reader, bowl } = await aSquare();
    for (const [look, viewport] of [
      ['desktop', DESKTOP],
      ['phone', PHONE],
    ]) {
      const there = await open({ viewport });
      const { page, goto } = there;
      await logIn(there, reader);
      await untilLive(page);
      await article(page, 'The kiln is open').waitFor();
      await picture(page, `home-${look}`);
      if (viewport === PHONE) {
        await goto(`/u/${ines.handle}`);
        await article(page, 'The kiln is open').waitFor();
        await picture(page, 'profile');
        continue;
      }
      await goto(`/shop/${bowl}`);
      await page.getByText('20 left').waitFor();
      await picture(page, 'product');
      await page.getByLabel('Quantity').fill('2');
      await page.getByRole('button', { name: /^Order 2 for/ }).click();
      await page.locator('[data-status=CONFIRMED]').waitFor();
      await goto('/orders');
      await page.locator('[data-status=CONFIRMED]').waitFor();
      await picture(page, 'order');
    }

    const { page, goto } = await open();
    await goto('/graphiql');
    await page.getByLabel('Handle').fill(reader.handle);
    await page.getByLabel('Password').fill(reader.password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByText(`Requests are sent as @${reader.handle}`).waitFor();
    const examples = page.getByRole('region', { name: 'Examples' });
    await examples.getByText('Home feed', { exact: true }).click();
    await page.getByRole('tab').nth(1).waitFor();
    await page.getByRole('button', { name: /^(Execute|Run) query/ }).click();
    await page.locator('.graphiql-response .view-lines').getByText('Rain all morning').waitFor();
    await picture(page, 'graphiql');
  }),
);

test(
  'the operator’s picture',
  { skip },
  withPages({ viewport: { width: 1280, height: 900 } }, async (open) => {
    const { page } = await open();
    await page.goto(ADMIN_URL);
    await page.getByText('Everything answers, nothing waits.').waitFor();
    await picture(page, 'operator');
  }),
);

const BROKEN = [
  /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED|WebSocket connection/,
];

test(
  'every page and every state, light and dark, wide and narrow',
  { skip },
  withPages({ expected: BROKEN }, async (open) => {
    const { visit, finish } = gallery(join(folder ?? '', 'states'));
    await everyState(open, await aWorld(), visit);
    await everyGraphiqlState(open, async (page, state) => {
      await visit(page, state, { fullPage: false });
      // What comes next is done where all of it is seen.
      await page.setViewportSize(DESKTOP);
    });
    await everyOperatorState(open, visit);
    await finish();
  }),
);
