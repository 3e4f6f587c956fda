import type { ReactNode } from 'react';
import { graphql } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { usePages, type Pages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PersonRowFragment } from '../parts/person-row';
import { PersonToFollow } from '../parts/person-to-follow';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList, Failed } from '../parts/states';
import { Link, paths, type Responses } from '../router';
import { more, w } from '../words';

const Likers = graphql(
  `
    query Likers($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        likers(first: $first, after: $after) {
          edges { cursor node { id ...PersonRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

const Reposts = graphql(
  `
    query Reposts($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        reposts(first: $first, after: $after) {
          edges { cursor node { id author { id ...PersonRow } } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

const Quotes = graphql(
  `
    query Quotes($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        quotes(first: $first, after: $after) {
          edges { cursor node { id ...PostCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

const LISTS = { likes: LikersList, reposts: RepostsList, quotes: QuotesList };

/** Who likes a post, who reposted it, and what was written about it. */
export function ResponsesPage({ id, which }: { id: string; which: Responses }) {
  const List = LISTS[which];
  return (
    <Page title={more.responses[which]} hideTitle>
      <BackHeader title={w.post} to={paths.post(id)} />
      <nav className="choices choices-page" aria-label={more.responsesToPost}>
        {(Object.keys(LISTS) as Responses[]).map((each) => (
          <Link key={each} to={paths.responses(id, each)} className="chip">
            {more.responses[each]}
          </Link>
        ))}
      </nav>
      <List id={id} />
    </Page>
  );
}

function LikersList({ id }: { id: string }) {
  const pages = usePages({
    query: Likers,
    variables: { id, first: 30 },
    connection: (data) => data.post?.likers,
  });
  return (
    <List
      pages={pages}
      which="likes"
      render={({ node }) => <PersonToFollow key={node.id} person={node} />}
    />
  );
}

function RepostsList({ id }: { id: string }) {
  const pages = usePages({
    query: Reposts,
    variables: { id, first: 30 },
    connection: (data) => data.post?.reposts,
  });
  return (
    <List
      pages={pages}
      which="reposts"
      render={({ node }) => node.author && <PersonToFollow key={node.id} person={node.author} />}
    />
  );
}

function QuotesList({ id }: { id: string }) {
  const pages = usePages({
    query: Quotes,
    variables: { id, first: 20 },
    connection: (data) => data.post?.quotes,
  });
  return (
    <List
      pages={pages}
      which="quotes"
      render={({ node }) => (
        <li key={node.id}>
          <PostCard post={node} />
        </li>
      )}
    />
  );
}

interface ListProps<Data, Edge> {
  pages: Pages<Data, Edge>;
  which: Responses;
  render: (edge: Edge) => ReactNode;
}

/** Of a post that is there; otherwise it says that none is. */
function List<Data extends { post: object | null }, Edge>({
  pages,
  which,
  render,
}: ListProps<Data, Edge>) {
  const { data, error, fetching, reload } = pages;
  if (!data?.post && !fetching) {
    if (error && !isNoSuchThing(error)) return <Failed error={error} retry={reload} />;
    return <Empty title={more.postGone}>{more.postGoneWhy}</Empty>;
  }
  return (
    <EndlessList
      pages={pages}
      label={more.responses[which]}
      empty={<Empty title={more.noResponses[which]} />}
      render={render}
    />
  );
}
