import { useEffect, useState, useSyncExternalStore, type ReactNode } from 'react';
import { graphql } from '../../shared/graphql';
import { usePages, type Pages } from '../api/use-pages';
import { FreshHashtags } from '../parts/fresh-hashtags';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { ProductCard, ProductCardFragment } from '../parts/product-card';
import { Empty, EndlessList } from '../parts/states';
import { more, w } from '../words';

const People = graphql(
  `
    query PeopleSearch($query: String!, $first: Int!, $after: String) {
      peopleSearch(query: $query, first: $first, after: $after) {
        edges { cursor node { id ...PersonRow } }
        pageInfo { endCursor hasNextPage }
      }
    }
  `,
  [PersonRowFragment],
);

const Posts = graphql(
  `
    query PostsSearch($query: String!, $first: Int!, $after: String) {
      postsSearch(query: $query, first: $first, after: $after) {
        edges { cursor node { id ...PostCard } }
        pageInfo { endCursor hasNextPage }
      }
    }
  `,
  [PostCardFragment],
);

const Products = graphql(
  `
    query ProductsSearch($query: String!, $first: Int!, $after: String) {
      productsSearch(query: $query, first: $first, after: $after) {
        edges { cursor node { id ...ProductCard } }
        pageInfo { endCursor hasNextPage }
      }
    }
  `,
  [ProductCardFragment],
);

const KINDS = ['people', 'posts', 'products'] as const;
type Kind = (typeof KINDS)[number];

/** How long nothing is typed before plaza is asked: an answer to half a word helps nobody. */
const PAUSE_MS = 300;

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  return () => removeEventListener('popstate', listener);
}

/** What is looked for is in the address, so that it can be shared and gone back to. */
function useAddress(): { query: string; kind: Kind } {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const given = new URLSearchParams(search);
  const kind = given.get('in') ?? '';
  return { query: given.get('q') ?? '', kind: KINDS.find((each) => each === kind) ?? 'posts' };
}

export function SearchPage() {
  const address = useAddress();
  const [text, setText] = useState(address.query);
  const [kind, setKind] = useState<Kind>(address.kind);
  const [query, setQuery] = useState(address.query.trim());
  useEffect(() => {
    const timer = setTimeout(() => setQuery(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    const wanted = new URLSearchParams({ ...(query && { q: query }), in: kind });
    history.replaceState(history.state, '', `/search?${wanted}`);
  }, [query, kind]);
  const kinds = { people: w.people, posts: more.posts, products: more.products };
  return (
    <Page title={w.search}>
      <form
        className="search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setQuery(text.trim());
        }}
      >
        <input
          type="search"
          aria-label={more.searchPlaza}
          placeholder={more.searchHint}
          maxLength={200}
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setText('');
            if (event.key === 'ArrowDown') focusFirst(event);
          }}
        />
        <div className="choices" role="group" aria-label={more.lookFor}>
          {KINDS.map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={kind === each}
              onClick={() => setKind(each)}
            >
              {kinds[each]}
            </button>
          ))}
        </div>
      </form>
      {query === '' ? (
        <>
          <Empty title={more.lookingFor}>{more.lookingForWhy}</Empty>
          <FreshHashtags />
        </>
      ) : (
        <Found kind={kind} query={query} />
      )}
    </Page>
  );
}

/** From the field to the first thing found, by keyboard. */
function focusFirst(event: { preventDefault: () => void }): void {
  const first = document.querySelector<HTMLElement>('.found a');
  if (!first) return;
  event.preventDefault();
  first.focus();
}

function Found({ kind, query }: { kind: Kind; query: string }) {
  switch (kind) {
    case 'people':
      return <FoundPeople query={query} />;
    case 'posts':
      return <FoundPosts query={query} />;
    case 'products':
      return <FoundProducts query={query} />;
  }
}

function List<Data, Edge>({
  pages,
  kind,
  query,
  grid = false,
  render,
}: {
  pages: Pages<Data, Edge>;
  kind: Kind;
  query: string;
  grid?: boolean;
  render: (edge: Edge) => ReactNode;
}) {
  const empty = <Empty title={more.nothingFound[kind](query)}>{more.otherWords}</Empty>;
  return (
    <div className="found">
      <EndlessList
        pages={pages}
        label={more.found[kind]}
        className={grid ? 'grid' : 'list'}
        tall={grid}
        empty={empty}
        render={render}
      />
    </div>
  );
}

function FoundPeople({ query }: { query: string }) {
  const pages = usePages({
    query: People,
    variables: { query, first: 20 },
    connection: (data) => data.peopleSearch,
  });
  return (
    <List
      pages={pages}
      kind="people"
      query={query}
      render={({ node }) => <PersonRow key={node.id} person={node} />}
    />
  );
}

function FoundPosts({ query }: { query: string }) {
  const pages = usePages({
    query: Posts,
    variables: { query, first: 20 },
    connection: (data) => data.postsSearch,
  });
  return (
    <List
      pages={pages}
      kind="posts"
      query={query}
      render={({ node }) => (
        <li key={node.id}>
          <PostCard post={node} />
        </li>
      )}
    />
  );
}

function FoundProducts({ query }: { query: string }) {
  const pages = usePages({
    query: Products,
    variables: { query, first: 24 },
    connection: (data) => data.productsSearch,
  });
  return (
    <List
      pages={pages}
      kind="products"
      query={query}
      grid
      render={({ node }) => (
        <li key={node.id}>
          <ProductCard product={node} />
        </li>
      )}
    />
  );
}
