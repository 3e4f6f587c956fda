import type { ReactNode } from 'react';
import type { FragmentOf } from '../../shared/graphql';
import type { Pages } from '../api/use-pages';
import { more } from '../words';
import { ProductCard, type ProductCardFragment } from './product-card';
import { EndlessList } from './states';

interface ProductEdge {
  node: FragmentOf<typeof ProductCardFragment> & { id: string };
}

/** A list of products, page by page. */
export function Products<Data>({
  pages,
  empty,
}: {
  pages: Pages<Data, ProductEdge>;
  empty: ReactNode;
}) {
  return (
    <EndlessList
      pages={pages}
      label={more.products}
      className="grid"
      tall
      empty={empty}
      render={({ node }) => (
        <li key={node.id}>
          <ProductCard product={node} />
        </li>
      )}
    />
  );
}
