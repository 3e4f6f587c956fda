import type { SubmitEvent } from 'react';
import { fieldOf } from '../../shared/form';
import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { ProductCardFragment } from '../parts/product-card';
import { Products } from '../parts/products';
import { Empty } from '../parts/states';
import { navigate } from '../router';
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
      <ShopSearch />
      <Products
        pages={pages}
        empty={<Empty title={more.nothingForSale}>{more.nothingForSaleWhy}</Empty>}
      />
    </Page>
  );
}

/** From browsing to looking for something: what is found is on the page of the search. */
function ShopSearch() {
  const look = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const query = fieldOf(new FormData(event.currentTarget), 'q').trim();
    navigate(`/search?${new URLSearchParams({ ...(query && { q: query }), in: 'products' })}`);
  };
  return (
    <form className="search search-line" role="search" onSubmit={look}>
      <input
        type="search"
        name="q"
        aria-label={more.searchShop}
        placeholder={more.searchShop}
        maxLength={200}
      />
      <button type="submit" className="button button-quiet">
        {w.search}
      </button>
    </form>
  );
}
