import { graphql, readFragment } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { AnswerRequest } from '../parts/notification-row';
import { Page } from '../parts/page';
import { PersonRow, PersonRowFragment } from '../parts/person-row';
import { BackHeader } from '../parts/small';
import { Empty, EndlessList } from '../parts/states';

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
    <Page title="Follow requests" hideTitle>
      <BackHeader title="Follow requests" to="/settings" />
      <EndlessList
        pages={pages}
        label="Follow requests"
        empty={
          <Empty title="Nobody asks">
            Requests come to private accounts; public ones are followed without asking.
          </Empty>
        }
        render={({ node }) => (
          <PersonRow key={node.id} person={node}>
            <AnswerRequest userId={readFragment(PersonRowFragment, node).id} />
          </PersonRow>
        )}
      />
    </Page>
  );
}
