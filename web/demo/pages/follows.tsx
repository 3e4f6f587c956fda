import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PersonRowFragment } from '../parts/person-row';
import { PersonToFollow } from '../parts/person-to-follow';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';
import { Link, paths } from '../router';
import { more } from '../words';

const Followers = graphql(
  `
    query Followers($handle: String!, $first: Int!, $after: String) {
      user(handle: $handle) {
        id
        followers(first: $first, after: $after) {
          edges { cursor node { id ...PersonRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

const Following = graphql(
  `
    query FollowingOf($handle: String!, $first: Int!, $after: String) {
      user(handle: $handle) {
        id
        following(first: $first, after: $after) {
          edges { cursor node { id ...PersonRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

/** Who follows somebody, or whom they follow. */
export function FollowsPage({ handle, side }: { handle: string; side: 'followers' | 'following' }) {
  return (
    <Page
      title={side === 'followers' ? more.followersOf(handle) : more.followedBy(handle)}
      hideTitle
    >
      <BackHeader title={`@${handle}`} to={paths.person(handle)} />
      <nav className="choices choices-page" aria-label={more.follows}>
        <Link to={`${paths.person(handle)}/followers`} className="chip">
          {more.followers}
        </Link>
        <Link to={`${paths.person(handle)}/following`} className="chip">
          {more.following}
        </Link>
      </nav>
      {side === 'followers' ? <FollowersList handle={handle} /> : <FollowingList handle={handle} />}
    </Page>
  );
}

function FollowersList({ handle }: { handle: string }) {
  const pages = usePages({
    query: Followers,
    variables: { handle, first: 30 },
    connection: (data) => data.user?.followers,
  });
  return (
    <EndlessList
      pages={pages}
      label={more.followers}
      empty={<Empty title={more.noFollowers} />}
      render={({ node }) => <PersonToFollow key={node.id} person={node} />}
    />
  );
}

function FollowingList({ handle }: { handle: string }) {
  const pages = usePages({
    query: Following,
    variables: { handle, first: 30 },
    connection: (data) => data.user?.following,
  });
  return (
    <EndlessList
      pages={pages}
      label={more.following}
      empty={<Empty title={more.noFollowing} />}
      render={({ node }) => <PersonToFollow key={node.id} person={node} />}
    />
  );
}
