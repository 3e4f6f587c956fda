import { graphql, readFragment } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { useMe } from '../me';
import { FollowButton } from '../parts/follow-button';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';
import { Link, paths } from '../router';

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
    <Page title={side === 'followers' ? `Followers of @${handle}` : `@${handle} follows`} hideTitle>
      <BackHeader title={`@${handle}`} to={paths.person(handle)} />
      <nav className="choices choices-page" aria-label="Follows">
        <Link to={`${paths.person(handle)}/followers`} className="chip">
          Followers
        </Link>
        <Link to={`${paths.person(handle)}/following`} className="chip">
          Following
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
      label="Followers"
      empty={<Empty title="No followers to see" />}
      render={({ node }) => <Followed key={node.id} person={node} />}
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
      label="Following"
      empty={<Empty title="Nobody to see" />}
      render={({ node }) => <Followed key={node.id} person={node} />}
    />
  );
}

function Followed({ person }: { person: Parameters<typeof PersonRow>[0]['person'] }) {
  const me = useMe();
  const user = readFragment(PersonRowFragment, person);
  return (
    <PersonRow person={person}>{user.id !== me?.userId && <FollowButton user={user} />}</PersonRow>
  );
}
