import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { Page } from '../parts/page';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { Tiles } from '../parts/small';
import { Suggestions } from '../parts/suggestions';
import { Link } from '../router';
import { more, w } from '../words';
import '../style/landing.css';

const Fresh = graphql(
  `
    query Fresh { products(first: 6) { edges { cursor node { id ...ProductCard } } pageInfo { endCursor hasNextPage } } }
  `,
  [ProductCardFragment],
);

/** What plaza is, for who is not logged in, and something to look at at once. */
export function LandingPage() {
  const [{ data }] = useQuery({ query: Fresh });
  const products = data?.products?.edges ?? [];
  return (
    <Page title={more.welcome} hideTitle>
      <section className="hero">
        <div className="hero-art" aria-hidden="true">
          {['market', 'square', 'people', 'stone'].map((each) => (
            <Tiles key={each} id={each} />
          ))}
        </div>
        <h2>{more.pitch}</h2>
        <p>{more.pitchMore}</p>
        <div className="buttons">
          <Link to="/signup" className="button">
            {w.signUp}
          </Link>
          <Link to="/login" className="button button-quiet">
            {w.logIn}
          </Link>
        </div>
      </section>
      {products.length > 0 && (
        <section aria-labelledby="fresh">
          <header className="section-head">
            <h2 id="fresh">{w.newInShop}</h2>
            <Link to="/shop">{more.seeAll}</Link>
          </header>
          <ul className="grid" aria-label={w.newInShop}>
            {products.map(({ node }) => (
              <li key={node.id}>
                <ProductCard product={node} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <Suggestions />
    </Page>
  );
}
