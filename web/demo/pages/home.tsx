import { useEffect, useState } from 'react';
import { useClient, type Client } from 'urql';
import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { useHeld, useLive } from '../live/live';
import { PostComposer } from '../parts/composer';
import { Filled } from '../parts/filled';
import { Icon } from '../parts/icon';
import { late } from '../parts/late';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { EndlessList, Empty } from '../parts/states';
import { Link } from '../router';
import { w } from '../words';

/** For who begins with an empty home alone, so it comes with that. */
const Suggestions = late(async () => (await import('../parts/suggestions')).Suggestions);

const Home = graphql(
  `
    query Home($first: Int!, $after: String) {
      viewer {
        home(first: $first, after: $after) {
          edges { cursor node { id ...PostCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

/** Some more than a large window shows: what comes after it is there before it is scrolled to. */
const PAGE = 16;

/** Whose home was empty in this visit; a client is one person's, until the page goes. */
const beganEmpty = new WeakSet<Client>();

/**
 * Once the home was empty, for the rest of the visit: the first one who is followed fills it, and
 * whom to follow next would be gone.
 */
function useBeganEmpty(isEmpty: boolean): boolean {
  const client = useClient();
  const [began, setBegan] = useState(() => beganEmpty.has(client));
  useEffect(() => {
    if (!isEmpty) return;
    beganEmpty.add(client);
    setBegan(true);
  }, [isEmpty, client]);
  return began;
}

export function HomePage() {
  const { listening, from, resumeFrom } = useLive();
  // Asked at once, and listened to from its head on; who came here from another page is listening already.
  const pages = usePages({
    query: Home,
    variables: { first: PAGE },
    connection: (data) => data.viewer?.home,
    pause: from === null && !listening,
  });
  const { edges, fetching } = pages;
  const head = edges?.find(({ cursor }) => !cursor.startsWith('own:'))?.cursor;
  useEffect(() => {
    if (edges && !fetching) resumeFrom(head ?? null);
  }, [edges, fetching, head, resumeFrom]);
  const held = useHeld();
  const shown = pages.edges?.filter(({ node }) => !held.has(node.id));
  const began = useBeganEmpty(edges?.length === 0 && !pages.hasMore);
  const empty = (
    <Empty title={w.quiet}>
      <Filled
        message={w.quietWhy}
        parts={[(words) => <Link to="/search?in=people">{words}</Link>]}
      />
    </Empty>
  );
  return (
    <Page title={w.home} hideTitle>
      <PostComposer />
      <NewPosts />
      {began && <Suggestions />}
      <EndlessList
        pages={{ ...pages, edges: shown }}
        label={w.homeFeed}
        empty={empty}
        render={({ node }) => (
          <li key={node.id}>
            <PostCard post={node} />
          </li>
        )}
      />
    </Page>
  );
}

/** What has come is announced, and shown when the reader is ready for it. */
function NewPosts() {
  const { arrivals } = useLive();
  const count = useHeld().size;
  const show = () => {
    arrivals.show();
    scrollTo({
      top: 0,
      behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
    });
  };
  return (
    <div className="arrivals" aria-live="polite">
      {count > 0 && (
        <button type="button" className="pill" onClick={show}>
          <Icon name="up" /> {w.newPosts(count)}
        </button>
      )}
    </div>
  );
}
