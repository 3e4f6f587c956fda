import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { money } from './format';
import { Tiles } from './small';
import { w } from '../words';

export const ProductCardFragment = graphql(`
  fragment ProductCard on Product { id title stock price { amount currency } seller { id handle displayName } }
`);

/** A product where many are shown. */
export function ProductCard({
  product: masked,
  small = false,
}: {
  product: FragmentOf<typeof ProductCardFragment>;
  small?: boolean;
}) {
  const product = readFragment(ProductCardFragment, masked);
  return (
    <Link to={paths.product(product.id)} className={small ? 'product product-small' : 'product'}>
      <Tiles id={product.id} />
      <span className="product-words">
        <span className="product-title">{product.title}</span>
        <span className="product-price">{money(product.price)}</span>
        <span className="quiet">
          {product.stock > 0 ? w.fromSeller(product.seller?.handle) : w.soldOutShort}
        </span>
      </span>
    </Link>
  );
}
