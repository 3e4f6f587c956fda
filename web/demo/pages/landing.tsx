import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { Page } from '../parts/page';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { Tiles } from '../parts/small';
import { Suggestions } from '../parts/suggestions';
import { Link } from '../router';
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
    <Page title="Welcome" hideTitle>
      <section className="hero">
        <div className="hero-art" aria-hidden="true">
          {['market', 'square', 'people', 'stone'].map((each) => (
            <Tiles key={each} id={each} />
          ))}
        </div>
        <h2>Talk about it, and buy it from the people who made it.</h2>
        <p>
          plaza is a square with a market on it: short posts, threads and pictures by people you
          follow, and the things they make, ordered in a click.
        </p>
        <div className="buttons">
          <Link to="/signup" className="button">
            Sign up
          </Link>
          <Link to="/login" className="button button-quiet">
            Log in
          </Link>
        </div>
      </section>
      {products.length > 0 && (
        <section aria-labelledby="fresh">
          <header className="section-head">
            <h2 id="fresh">New in the shop</h2>
            <Link to="/shop">See all</Link>
          </header>
          <ul className="grid" aria-label="New in the shop">
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
