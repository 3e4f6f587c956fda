import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { EndlessList, Empty } from '../parts/states';
import { more, w } from '../words';

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
    <Page title={w.shop}>
      <EndlessList
        pages={pages}
        label={more.products}
        className="grid"
        tall
        empty={<Empty title={more.nothingForSale}>{more.nothingForSaleWhy}</Empty>}
        render={({ node }) => (
          <li key={node.id}>
            <ProductCard product={node} />
          </li>
        )}
      />
    </Page>
  );
}
