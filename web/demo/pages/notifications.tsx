import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { useLive } from '../live/live';
import { useMarkRead } from '../live/unread';
import { NotificationRowFragment } from '../parts/notification-fragment';
import { NotificationRow } from '../parts/notification-row';
import { Page } from '../parts/page';
import { EndlessList, Empty } from '../parts/states';
import { NotificationWays } from './notification-groups';
import { more, w } from '../words';

const Notifications = graphql(
  `
    query Notifications($first: Int!, $after: String) {
      viewer {
        notifications(first: $first, after: $after) {
          edges { cursor node { id ...NotificationRow } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [NotificationRowFragment],
);

export function NotificationsPage() {
  const { listening } = useLive();
  const pages = usePages({
    query: Notifications,
    variables: { first: 30 },
    connection: (data) => data.viewer?.notifications,
    pause: !listening,
  });
  useMarkRead(pages.edges?.[0]?.node.id);
  return (
    <Page title={w.notifications}>
      <NotificationWays />
      <EndlessList
        pages={pages}
        label={w.notifications}
        empty={<Empty title={more.nothingHappened}>{more.nothingHappenedWhy}</Empty>}
        render={({ node }) => <NotificationRow key={node.id} notification={node} />}
      />
    </Page>
  );
}
