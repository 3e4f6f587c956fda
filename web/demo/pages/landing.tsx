import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { Tiles } from '../parts/small';
import { EndlessList, Empty } from '../parts/states';
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

const FreshPosts = graphql(
  `
    query FreshPosts($first: Int!, $after: String) {
      posts(first: $first, after: $after) { edges { cursor node { id ...PostCard } } pageInfo { endCursor hasNextPage } }
    }
  `,
  [PostCardFragment],
);

/** What everybody says, newest first. */
function Posts() {
  const pages = usePages({
    query: FreshPosts,
    variables: { first: 20 },
    connection: (data) => data.posts,
  });
  return (
    <section aria-labelledby="said">
      <header className="section-head">
        <h2 id="said">{more.saidNow}</h2>
      </header>
      <EndlessList
        pages={pages}
        label={more.saidNow}
        empty={<Empty title={more.noPosts} />}
        render={({ node }) => (
          <li key={node.id}>
            <PostCard post={node} />
          </li>
        )}
      />
    </section>
  );
}

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
      <Posts />
    </Page>
  );
}
