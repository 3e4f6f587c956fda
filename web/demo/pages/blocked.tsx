import { graphql, readFragment } from '../../shared/graphql';
import { useBlocking } from '../api/relations';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';
import { more } from '../words';

const Blocked = graphql(
  `
    query Blocked($first: Int!, $after: String) {
      viewer {
        blockedUsers(first: $first, after: $after) {
          edges { cursor node { id ...PersonRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

/** Whom one blocks, to end it. */
export function BlockedPage() {
  const pages = usePages({
    query: Blocked,
    variables: { first: 30 },
    connection: (data) => data.viewer?.blockedUsers,
  });
  const { unblock } = useBlocking();
  return (
    <Page title={more.blockedPeople} hideTitle>
      <BackHeader title={more.blockedPeople} to="/settings" />
      <EndlessList
        pages={pages}
        label={more.blockedPeople}
        empty={<Empty title={more.noBlocked}>{more.noBlockedWhy}</Empty>}
        render={({ node }) => {
          const { id, handle } = readFragment(PersonRowFragment, node);
          return (
            <PersonRow key={node.id} person={node}>
              <button
                type="button"
                className="button button-quiet"
                onClick={() => unblock(id, handle)}
              >
                {more.unblock}
              </button>
            </PersonRow>
          );
        }}
      />
    </Page>
  );
}
