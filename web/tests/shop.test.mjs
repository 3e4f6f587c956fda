import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ask, newPerson, unique, until } from './support/api.mjs';
import {
  closeBrowser,
  fitsSideways,
  logIn,
  openBrowser,
  PHONE,
  untilLive,
  withPages,
} from './support/browser.mjs';

before(openBrowser);
after(closeBrowser);

test(
  'a product is found, ordered, and the order confirmed live',
  withPages({}, async (open) => {
    const [seller, buyer] = await Promise.all([newPerson('Sol Seller'), newPerson('Bo Buyer')]);
    const title = `Olive wood spoon, no. ${randomInt(1e9)}`;
    await seller.offer(title, {
      stock: 5,
      description: 'Carved from one piece, oiled twice.\nNo two are the same.',
    });
    const buying = await open();
    await logIn(buying, buyer);
    await untilLive(buying.page);
    await buying.page.getByRole('link', { name: 'Shop', exact: true }).click();
    await buying.page.getByRole('list', { name: 'Products' }).getByText(title).click();
    await buying.page.getByText('5 left').waitFor();
    await buying.page.getByLabel('Quantity').fill('2');
    await buying.page.getByRole('button', { name: 'Order 2 for €25.00', exact: true }).click();
    // Nothing is reloaded: the subscription tells, and what is left on the shelf is asked for again.
    await buying.page.locator('[data-status=CONFIRMED]').waitFor();
    await buying.page.getByText('3 left').waitFor();
    await buying.page.getByRole('link', { name: 'your orders' }).waitFor();
    assert.equal(
      await buying.page.getByLabel('Quantity').inputValue(),
      '1',
      'the same again is not one click away',
    );
    await buying.page
      .getByRole('article', { name: 'Order' })
      .getByText('€25.00', { exact: true })
      .waitFor();

    await buying.page.getByRole('link', { name: 'Orders', exact: true }).click();
    const orders = buying.page.getByRole('list', { name: 'Orders' });
    await orders.getByRole('link', { name: title }).waitFor();
    assert.equal(await orders.locator('[data-status=CONFIRMED]').count(), 1);

    await orders.getByRole('link', { name: title }).click();
    await buying.page.getByText('3 left').waitFor();

    // A change of mind: the pieces are back on the shelf, and the order says how it went.
    await buying.page.getByRole('link', { name: 'Orders', exact: true }).click();
    await orders.getByRole('button', { name: 'Refund' }).click();
    await orders.locator('[data-status=REFUNDED]').waitFor();
    await orders.getByText('History').click();
    assert.equal(await orders.locator('.order-history li').count(), 6);
    await orders.getByRole('link', { name: title }).click();
    await buying.page.getByText('5 left').waitFor();

    await buying.goto(`/u/${seller.handle}`);
    await buying.page.getByRole('link', { name: 'Products of Sol Seller' }).click();
    await buying.page.getByRole('list', { name: 'Products' }).getByText(title).waitFor();
  }),
);

test(
  'more than there is: the order says that it was not possible',
  withPages({ viewport: PHONE }, async (open) => {
    const [seller, buyer, faster] = await Promise.all([
      newPerson('Sol Seller'),
      newPerson('Bo Buyer'),
      newPerson('Fay Faster'),
    ]);
    const product = await seller.offer(`The last one ${unique('no')}`, { stock: 1 });
    const buying = await open();
    await logIn(buying, buyer);
    await buying.goto(`/shop/${product}`);
    await buying.page.getByText('1 left').waitFor();
    await fitsSideways(buying.page);
    // Somebody else takes it while the page still shows it.
    const input = { lines: [{ productId: product, quantity: 1 }] };
    await ask(
      'mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { message } } }',
      { input },
      faster.token,
    );
    await untilStock(product, 0);
    await buying.page.getByRole('button', { name: /^Order 1 for/ }).click();
    await buying.page
      .locator('[data-status=REJECTED], [role=alert]:not([hidden])')
      .first()
      .waitFor();
    await buying.goto(`/shop/${product}`);
    await buying.page.getByText('Sold out').waitFor();
  }),
);

test(
  'a product is told of in a post',
  withPages({}, async (open) => {
    const seller = await newPerson('Sol Seller');
    const title = `A lamp ${unique('no')}`;
    const product = await seller.offer(title);
    const selling = await open();
    await logIn(selling, seller);
    await selling.goto(`/shop/${product}`);
    // Nobody buys from themselves: what is left is said, and nothing more.
    await selling.page.getByText('20 left').waitFor();
    assert.equal(await selling.page.getByRole('button', { name: /^Order/ }).count(), 0);
    await selling.page.getByLabel('Your post').fill('New from the workshop');
    await selling.page.getByRole('button', { name: 'Post', exact: true }).click();
    await selling.page.waitForFunction(() => document.querySelector('textarea').value === '');
    await selling.page.getByRole('link', { name: 'Profile' }).click();
    await selling.page
      .getByRole('article')
      .filter({ hasText: 'New from the workshop' })
      .getByRole('link', { name: title })
      .waitFor();
  }),
);

test(
  'two sales of a day are told as two',
  withPages({}, async (open) => {
    const [seller, ...buyers] = await Promise.all([
      newPerson('Sol Seller'),
      newPerson('Bo Buyer'),
      newPerson('Bea Buyer'),
    ]);
    const [stool, mug] = [`A stool ${unique('no')}`, `A mug ${unique('no')}`];
    const [product, other] = [await seller.offer(stool), await seller.offer(mug)];
    const place = ({ token }, lines) =>
      ask(
        'mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { message } } }',
        { input: { lines } },
        token,
      );
    await place(buyers[0], [{ productId: product, quantity: 2 }]);
    await place(buyers[1], [
      { productId: product, quantity: 1 },
      { productId: other, quantity: 3 },
    ]);
    const selling = await open();
    await logIn(selling, seller);
    await selling.page.getByLabel('2 new').waitFor();
    await selling.page.getByRole('link', { name: 'Notifications' }).click();
    await selling.page.getByRole('link', { name: '2 sales' }).waitFor();
    // One by one: how many of what, and all that one order has bought.
    await selling.page.getByRole('link', { name: 'One by one' }).click();
    const told = selling.page.getByRole('list', { name: 'Notifications' });
    await told.getByText(`2 × ${stool}`, { exact: true }).waitFor();
    await told.getByText(`1 × ${stool}, 3 × ${mug}`, { exact: true }).waitFor();
    await selling.page.getByRole('link', { name: 'Grouped' }).click();
    // What comes back is the seller's affair too: it leads to the product, not to orders of theirs.
    const [{ token }] = buyers;
    let order;
    await until('the order is confirmed', async () => {
      const { viewer } = await ask(
        '{ viewer { orders(first: 1) { nodes { id status } } } }',
        {},
        token,
      );
      [order] = viewer.orders.nodes;
      return order?.status === 'CONFIRMED';
    });
    await ask(
      'mutation($input: OrderRefundInput!) { orderRefund(input: $input) { userErrors { code } } }',
      { input: { orderId: order.id } },
      token,
    );
    await selling.page.getByRole('link', { name: 'A sale of yours was refunded' }).click();
    await selling.page.waitForURL(/\/shop\//);
    await selling.page.goBack();
    await selling.page.getByRole('link', { name: 'Preferences' }).click();
    await selling.page.getByRole('group', { name: 'Refunds' }).waitFor();
  }),
);

test(
  'an order names what was bought also when it can no longer be seen',
  withPages({}, async (open) => {
    const [seller, buyer] = await Promise.all([newPerson('Sol Seller'), newPerson('Bo Buyer')]);
    const title = `A jug ${unique('no')}`;
    const product = await seller.offer(title);
    const input = { lines: [{ productId: product, quantity: 1 }] };
    await ask(
      'mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { message } } }',
      { input },
      buyer.token,
    );
    await ask(
      'mutation($id: ID!) { userBlock(input: { userId: $id }) { userErrors { message } } }',
      { id: buyer.id },
      seller.token,
    );
    const buying = await open();
    await logIn(buying, buyer);
    await buying.goto('/orders');
    const order = buying.page.getByRole('article', { name: 'Order' });
    await order.getByText(title).waitFor();
    await order.getByText('No longer offered').waitFor();
    assert.equal(await order.getByRole('link', { name: title }).count(), 0);
  }),
);

const untilStock = (id, wanted) =>
  until(`a stock of ${wanted}`, async () => {
    const { product } = await ask('query($id: ID!) { product(id: $id) { stock } }', { id });
    return product.stock === wanted;
  });

test(
  'the shop is ordered by price, within a range, also after a reload',
  withPages({ viewport: PHONE }, async (open) => {
    const seller = await newPerson('Sol Seller');
    const name = unique('piano');
    for (const amount of ['7200000', '7100000', '7300000'])
      await seller.offer(`${name} for ${amount}`, { amount });
    const { page, goto } = await open();
    await goto('/shop');
    await page.getByRole('button', { name: 'Highest price' }).click();
    await page.getByLabel('From', { exact: true }).fill('71000');
    await page.getByLabel('To', { exact: true }).fill('72000');
    const list = page.getByRole('list', { name: 'Products' });
    const isOrdered = async () => {
      await list.getByText('7100000').waitFor();
      await list.getByText('7300000').waitFor({ state: 'detached' });
      const titles = await list.locator('.product-title').allTextContents();
      assert.deepEqual(
        titles.filter((title) => title.startsWith(name)),
        [`${name} for 7200000`, `${name} for 7100000`],
      );
    };
    await isOrdered();
    await fitsSideways(page);
    await page.reload();
    await isOrdered();
    await page.getByLabel('From', { exact: true }).fill('72001');
    await page.getByText('Nothing at this price').waitFor();
    await page.getByLabel('Currency').selectOption('JPY');
    await page.getByRole('button', { name: 'Newest' }).click();
    await list.getByText('7300000').waitFor();
    assert.equal(new URL(page.url()).search, '');
  }),
);
