import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { OrderCard, OrderCardFragment } from '../parts/order-card';
import { Filled } from '../parts/filled';
import { Page } from '../parts/page';
import { EndlessList, Empty } from '../parts/states';
import { Link } from '../router';
import { more, w } from '../words';

const Orders = graphql(
  `
    query Orders($first: Int!, $after: String) {
      viewer {
        orders(first: $first, after: $after) {
          edges { cursor node { id ...OrderCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [OrderCardFragment],
);

export function OrdersPage() {
  const pages = usePages({
    query: Orders,
    variables: { first: 20 },
    connection: (data) => data.viewer?.orders,
  });
  const empty = (
    <Empty title={more.noOrders}>
      <Filled message={more.noOrdersWhy} parts={[(words) => <Link to="/shop">{words}</Link>]} />
    </Empty>
  );
  return (
    <Page title={w.orders}>
      <EndlessList
        pages={pages}
        label={w.orders}
        empty={empty}
        render={({ node }) => (
          <li key={node.id}>
            <OrderCard order={node} />
          </li>
        )}
      />
    </Page>
  );
}
