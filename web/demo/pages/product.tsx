import { useState, type SubmitEvent } from 'react';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { useAction } from '../api/use-action';
import { useMe } from '../me';
import { PostComposer } from '../parts/composer';
import { Filled } from '../parts/filled';
import { money, number } from '../parts/format';
import { OrderCard, OrderCardFragment } from '../parts/order-card';
import { Page } from '../parts/page';
import { Byline, Tiles } from '../parts/small';
import { Prose } from '../parts/text';
import { Empty, Failed, ProblemLine, Skeletons } from '../parts/states';
import { Link, toLogIn } from '../router';
import { more } from '../words';
import '../style/product.css';

const ProductDetails = graphql(`
  query ProductDetails($id: ID!) {
    product(id: $id) { id title description stock price { amount currency } seller { id handle displayName } }
  }
`);

const PlaceOrder = graphql(
  `
    mutation PlaceOrder($input: OrderPlaceInput!) {
      orderPlace(input: $input) { order { id ...OrderCard } userErrors { code message path } }
    }
  `,
  [OrderCardFragment],
);

const OrderNow = graphql(`query OrderNow($id: ID!) { order(id: $id) { id ...OrderCard } }`, [
  OrderCardFragment,
]);

type Product = NonNullable<ResultOf<typeof ProductDetails>['product']>;

export function ProductPage({ id }: { id: string }) {
  // Stock is a thing of the moment: what the cache knows is shown, and asked for again.
  const [{ data, error, fetching }, ask] = useQuery({
    query: ProductDetails,
    variables: { id },
    requestPolicy: 'cache-and-network',
  });
  const product = data?.product;
  if (!product) {
    return (
      <Page title={more.product} hideTitle>
        {fetching ? (
          <Skeletons count={1} tall />
        ) : error && !isNoSuchThing(error) ? (
          <Failed error={error} retry={() => ask({ requestPolicy: 'network-only' })} />
        ) : (
          <Empty title={more.noProduct}>{more.noProductWhy}</Empty>
        )}
      </Page>
    );
  }
  return (
    <Page title={product.title} hideTitle>
      <section className="product-page">
        <Tiles id={product.id} />
        <div className="product-details">
          <h2>{product.title}</h2>
          <p className="product-page-price">{money(product.price)}</p>
          <p className="quiet">
            <Filled message={more.soldBy} parts={[() => <Byline person={product.seller} />]} />
          </p>
          <Buy product={product} />
        </div>
        {product.description && <Prose text={product.description} />}
      </section>
      <PostComposer productId={product.id} placeholder={more.tellFollowers} />
    </Page>
  );
}

function Buy({ product }: { product: Product }) {
  const me = useMe();
  const { run, busy, problem } = useAction(PlaceOrder, { durable: true });
  const [orderId, setOrderId] = useState<string | null>(null);
  const [quantity, setQuantity] = useState('1');
  const most = Math.min(1_000, Math.max(1, product.stock));
  const pieces = Number(quantity);
  const total =
    Number.isInteger(pieces) && pieces > 0
      ? money({ ...product.price, amount: String(BigInt(product.price.amount) * BigInt(pieces)) })
      : null;
  if (product.stock === 0 && !orderId)
    return <p className="status status-rejected">{more.soldOut}</p>;
  // Nobody buys from themselves.
  if (me !== null && me.userId === product.seller?.id)
    return <p className="quiet">{more.left(number(product.stock))}</p>;
  if (!me)
    return (
      <Link to={toLogIn()} className="button">
        {more.logInToBuy}
      </Link>
    );

  const buy = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const lines = [{ productId: product.id, quantity: pieces }];
    const data = await run({ input: { lines } }, { place: `order:${product.id}` });
    if (!data?.orderPlace?.order) return;
    setOrderId(data.orderPlace.order.id);
    setQuantity('1');
  };
  return (
    <>
      <form className="buy" onSubmit={(event) => void buy(event)}>
        <label>
          {more.quantity}
          <input
            name="quantity"
            type="number"
            inputMode="numeric"
            min={1}
            max={most}
            value={quantity}
            onChange={({ target }) => setQuantity(target.value)}
            required
          />
        </label>
        <button type="submit" className="button" disabled={busy || product.stock === 0}>
          {busy ? more.ordering : total ? more.orderFor(pieces, total) : more.order}
        </button>
      </form>
      <p className="quiet">{more.left(number(product.stock))}</p>
      <ProblemLine problem={problem} />
      {orderId && (
        <>
          <p>
            <Filled message={more.ordered} parts={[(words) => <Link to="/orders">{words}</Link>]} />
          </p>
          <Placed id={orderId} />
        </>
      )}
    </>
  );
}

/** The order that was just placed, from the cache: it moves on as it is told. */
function Placed({ id }: { id: string }) {
  const [{ data }] = useQuery({ query: OrderNow, variables: { id } });
  return data?.order ? <OrderCard order={data.order} /> : <Skeletons count={1} />;
}
