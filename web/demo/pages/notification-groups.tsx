import { graphql, readFragment } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { useLive } from '../live/live';
import { useMarkRead } from '../live/unread';
import { NotificationGroup, NotificationGroupFragment } from '../parts/notification-group';
import { Page } from '../parts/page';
import { EndlessList, Empty } from '../parts/states';
import { Link } from '../router';
import { more, w } from '../words';

const Groups = graphql(
  `
    query NotificationGroups($first: Int!, $after: String) {
      viewer {
        notificationGroups(first: $first, after: $after) {
          edges { cursor node { ...NotificationGroupRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [NotificationGroupFragment],
);

export function NotificationGroupsPage() {
  const { listening } = useLive();
  const pages = usePages({
    query: Groups,
    variables: { first: 30 },
    connection: (data) => data.viewer?.notificationGroups,
    pause: !listening,
  });
  const first = pages.edges?.[0];
  useMarkRead(first && readFragment(NotificationGroupFragment, first.node).latest.id);
  return (
    <Page title={w.notifications}>
      <NotificationWays />
      <EndlessList
        pages={pages}
        label={w.notifications}
        empty={<Empty title={more.nothingHappened}>{more.nothingHappenedWhy}</Empty>}
        render={({ cursor, node }) => <NotificationGroup key={cursor} group={node} />}
      />
    </Page>
  );
}

/** Between the ways to look at notifications. */
export function NotificationWays() {
  return (
    <nav className="choices choices-page" aria-label={w.notifications}>
      <Link to="/notifications" className="chip">
        {more.grouped}
      </Link>
      <Link to="/notifications/all" className="chip">
        {more.oneByOne}
      </Link>
      <Link to="/notifications/preferences" className="chip">
        {more.preferences}
      </Link>
    </nav>
  );
}
