import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { OrderCard, OrderCardFragment } from '../parts/order-card';
import { Page } from '../parts/page';
import { EndlessList, Empty } from '../parts/states';
import { Link } from '../router';

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
    <Empty title="You have ordered nothing yet">
      Have a look at <Link to="/shop">the shop</Link>.
    </Empty>
  );
  return (
    <Page title="Orders">
      <EndlessList
        pages={pages}
        label="Orders"
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
