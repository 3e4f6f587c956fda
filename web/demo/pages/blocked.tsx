import { graphql, readFragment } from '../../shared/graphql';
import { useBlocking } from '../api/relations';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';

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
    <Page title="Blocked people" hideTitle>
      <BackHeader title="Blocked people" to="/settings" />
      <EndlessList
        pages={pages}
        label="Blocked people"
        empty={
          <Empty title="You block nobody">
            Who bothers you can be blocked from the menu of their profile or of a post.
          </Empty>
        }
        render={({ node }) => {
          const { id, handle } = readFragment(PersonRowFragment, node);
          return (
            <PersonRow key={node.id} person={node}>
              <button
                type="button"
                className="button button-quiet"
                onClick={() => unblock(id, handle)}
              >
                Unblock
              </button>
            </PersonRow>
          );
        }}
      />
    </Page>
  );
}
