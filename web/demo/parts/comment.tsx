import { graphql } from '../../shared/graphql';
import { EntityFragment } from './text';

/** What is shown of a comment. */
export const CommentFragment = graphql(
  `
    fragment CommentParts on Comment {
      id text createdAt depth replyCount
      author { id handle displayName viewerIsBlocking avatar { id url(size: SMALL) } }
      entities { ...Entity }
    }
  `,
  [EntityFragment],
);
