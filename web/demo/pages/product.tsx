import { useState, type FormEvent } from 'react';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { useMe } from '../me';
import { PostComposer } from '../parts/composer';
import { money } from '../parts/format';
import { OrderCard, OrderCardFragment } from '../parts/order-card';
import { Page } from '../parts/page';
import { Byline, Prose, Tiles } from '../parts/small';
import { Empty, Failed, ProblemLine, Skeletons } from '../parts/states';
import { Link } from '../router';

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

const OrderNow = graphql(`query OrderNow($id: ID!) { order(id: $id) { id ...OrderCard } }`, [OrderCardFragment]);

type Product = NonNullable<ResultOf<typeof ProductDetails>['product']>;

export function ProductPage({ id }: { id: string }) {
  // Stock is a thing of the moment: what the cache knows is shown, and asked for again.
  const [{ data, error, fetching }, ask] = useQuery({ query: ProductDetails, variables: { id }, requestPolicy: 'cache-and-network' });
  const product = data?.product;
  if (!product) {
    return (
      <Page title="Product" hideTitle>
        {fetching ? <Skeletons count={1} tall /> : error ? <Failed error={error} retry={() => ask({ requestPolicy: 'network-only' })} /> : <Empty title="This is not for sale">It was taken down, or never was here.</Empty>}
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
            Sold by <Byline person={product.seller} />
          </p>
          <Buy product={product} />
        </div>
        {product.description && <Prose text={product.description} />}
      </section>
      <PostComposer productId={product.id} placeholder="Tell your followers about it" />
    </Page>
  );
}

function Buy({ product }: { product: Product }) {
  const me = useMe();
  const { run, busy, problem } = useAction(PlaceOrder);
  const [orderId, setOrderId] = useState<string | null>(null);
  if (product.stock === 0 && !orderId) return <p className="status status-rejected">Sold out</p>;
  if (!me) return <Link to="/login" className="button">Log in to buy</Link>;

  const buy = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.currentTarget).get('quantity'));
    const data = await run({ input: { lines: [{ productId: product.id, quantity }] } });
    if (data?.orderPlace?.order) setOrderId(data.orderPlace.order.id);
  };
  return (
    <>
      <form className="buy" onSubmit={(event) => void buy(event)}>
        <label>
          Quantity
          <input name="quantity" type="number" inputMode="numeric" min={1} max={Math.min(1_000, Math.max(1, product.stock))} defaultValue={1} required />
        </label>
        <button type="submit" className="button" disabled={busy || product.stock === 0}>
          {busy ? 'Ordering…' : 'Order'}
        </button>
      </form>
      <p className="quiet">{product.stock.toLocaleString()} left</p>
      <ProblemLine problem={problem} />
      {orderId && <Placed id={orderId} />}
    </>
  );
}

/** The order that was just placed, from the cache: it moves on as it is told. */
function Placed({ id }: { id: string }) {
  const [{ data }] = useQuery({ query: OrderNow, variables: { id } });
  return data?.order ? <OrderCard order={data.order} /> : <Skeletons count={1} />;
}
