import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { ProductCardFragment } from '../parts/product-card';
import { Products } from '../parts/products';
import { BackHeader } from '../parts/small';
import { Empty } from '../parts/states';
import { paths } from '../router';
import { more } from '../words';

const PersonShop = graphql(
  `
    query PersonShop($handle: String!, $first: Int!, $after: String) {
      user(handle: $handle) {
        id displayName
        products(first: $first, after: $after) {
          edges { cursor node { id ...ProductCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [ProductCardFragment],
);

/** What one person sells. */
export function PersonShopPage({ handle }: { handle: string }) {
  const pages = usePages({
    query: PersonShop,
    variables: { handle, first: 24 },
    connection: (data) => data.user?.products,
  });
  return (
    <Page title={more.productsOf(pages.data?.user?.displayName ?? `@${handle}`)} hideTitle>
      <BackHeader title={`@${handle}`} to={paths.person(handle)} />
      <Products pages={pages} empty={<Empty title={more.nothingForSale} />} />
    </Page>
  );
}
