import { graphql, readFragment } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { AnswerRequest } from '../parts/notification-row';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';
import { more } from '../words';

const Requests = graphql(
  `
    query FollowRequests($first: Int!, $after: String) {
      viewer {
        followRequests(first: $first, after: $after) {
          edges { cursor node { id ...PersonRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PersonRowFragment],
);

/** Who asks to follow somebody private. */
export function RequestsPage() {
  const pages = usePages({
    query: Requests,
    variables: { first: 30 },
    connection: (data) => data.viewer?.followRequests,
  });
  return (
    <Page title={more.followRequests} hideTitle>
      <BackHeader title={more.followRequests} to="/settings" />
      <EndlessList
        pages={pages}
        label={more.followRequests}
        empty={<Empty title={more.noRequests}>{more.noRequestsWhy}</Empty>}
        render={({ node }) => (
          <PersonRow key={node.id} person={node}>
            <AnswerRequest userId={readFragment(PersonRowFragment, node).id} />
          </PersonRow>
        )}
      />
    </Page>
  );
}
