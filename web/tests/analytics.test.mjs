import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, newPerson, unique } from './support/api.mjs';
import {
  closeBrowser,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

test(
  'an author sees views and sales; a reader who scrolls by is a view',
  withPages({}, async (open) => {
    const [author, reader] = await Promise.all([newPerson('Ana Author'), newPerson('Rea Reader')]);
    const text = `Worth a look ${unique('no')}`;
    const post = await author.post(text);
    const product = await author.offer('A folding stool');
    const input = { lines: [{ productId: product, quantity: 2 }] };
    await ask(
      'mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { message } } }',
      { input },
      reader.token,
    );
    const reading = await open();
    await logIn(reading, reader);
    const told = reading.page.waitForResponse(
      (response) => response.request().postData()?.includes('postViewsRecord') ?? false,
    );
    await reading.goto(`/p/${post}`);
    await reading.page.getByText(text).waitFor();
    assert.equal((await (await told).json()).data.postViewsRecord.recorded, 1);

    const watching = await open();
    await logIn(watching, author);
    await watching.page.getByRole('link', { name: 'Analytics' }).click();
    await watching.page.getByRole('button', { name: 'Day', pressed: true }).waitFor();
    const counted = watching.page.locator('section[aria-label=Views] svg[data-sum="1"]');
    const sold = watching.page.locator('section[aria-label=Sales] svg[data-sum="2500"]');
    for (
      let tries = 0;
      tries < 200 && (await counted.count()) + (await sold.count()) < 2;
      tries += 1
    ) {
      const answered = watching.page.waitForResponse(
        (response) => response.request().postData()?.includes('topProducts') ?? false,
      );
      await watching.page.getByRole('button', { name: 'Refresh' }).click();
      await answered;
    }
    await counted.waitFor();
    await sold.waitFor();
    // What the heights stand for: the highest and half of it, both whole.
    const axis = (name) =>
      watching.page.locator(`section[aria-label=${name}] .chart-axis span`).allTextContents();
    assert.deepEqual(await axis('Views'), ['2', '1']);
    assert.deepEqual(await axis('Sales'), ['€25.00', '€12.50']);
    await watching.page
      .getByRole('list', { name: 'Most viewed posts' })
      .getByRole('link', { name: text })
      .waitFor();
    await watching.page
      .getByRole('list', { name: 'Most sold products' })
      .getByRole('link', { name: 'A folding stool' })
      .waitFor();
    const phone = await open({ viewport: PHONE });
    await logIn(phone, author);
    // On a phone it is behind the profile.
    await phone.page.getByRole('link', { name: 'Profile' }).click();
    await phone.page.getByRole('main').getByRole('link', { name: 'Analytics' }).click();
    await phone.page.getByRole('heading', { name: 'Your posts' }).waitFor();
    await fitsSideways(phone.page);
  }),
);
