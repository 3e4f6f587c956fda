import { graphql } from '../../shared/graphql';

/** What a row of notifications shows: apart from the row, since every page listens for it. */
export const NotificationRowFragment = graphql(`
  fragment NotificationRow on Notification {
    id kind createdAt
    actor { id handle displayName avatar { id url(size: SMALL) } }
    post { id text }
    comment { id text }
    order { id status }
    product { id title }
    lines { quantity product { id title } }
  }
`);
