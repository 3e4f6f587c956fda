import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { EndlessList, Empty } from '../parts/states';

const Shop = graphql(
  `
    query Shop($first: Int!, $after: String) {
      products(first: $first, after: $after) {
        edges { cursor node { id ...ProductCard } }
        pageInfo { endCursor hasNextPage }
      }
    }
  `,
  [ProductCardFragment],
);

export function ShopPage() {
  const pages = usePages({
    query: Shop,
    variables: { first: 24 },
    connection: (data) => data.products,
  });
  return (
    <Page title="Shop">
      <EndlessList
        pages={pages}
        label="Products"
        className="grid"
        tall
        empty={
          <Empty title="Nothing is for sale">
            What people offer appears here, the newest first.
          </Empty>
        }
        render={({ node }) => (
          <li key={node.id}>
            <ProductCard product={node} />
          </li>
        )}
      />
    </Page>
  );
}
