import { graphql } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { usePages } from '../api/use-pages';
import { CommentFragment } from '../parts/comment';
import { CommentComposer } from '../parts/composer';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { ResponseCounts, ResponseCountsFragment } from '../parts/response-counts';
import { BackHeader } from '../parts/small';
import { EndlessList, Empty, Failed, Skeletons } from '../parts/states';
import { Thread } from '../parts/thread';
import { more, w } from '../words';

const PostWithComments = graphql(
  `
    query PostWithComments($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        text author { id displayName }
        ...PostCard
        ...ResponseCounts
        comments(first: $first, after: $after) {
          edges { cursor node { id ...CommentParts } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment, ResponseCountsFragment, CommentFragment],
);

export function PostPage({ id }: { id: string }) {
  const pages = usePages({
    query: PostWithComments,
    variables: { id, first: 30 },
    connection: (data) => data.post?.comments,
  });
  const post = pages.data?.post;
  if (!post) {
    return (
      <Page title={w.post} hideTitle>
        {pages.fetching ? (
          <Skeletons count={1} />
        ) : pages.error && !isNoSuchThing(pages.error) ? (
          <Failed error={pages.error} retry={pages.reload} />
        ) : (
          <Empty title={more.postGone}>{more.postGoneWhy}</Empty>
        )}
      </Page>
    );
  }
  const beginning = post.text.split('\n')[0] ?? '';
  const title = `${post.author?.displayName ?? w.post}: ${beginning.length > 60 ? `${beginning.slice(0, 60)}…` : beginning}`;
  return (
    <Page title={title} heading={w.post} hideTitle>
      <BackHeader title={w.post} to="/" />
      <PostCard post={post} whole>
        <ResponseCounts post={post} />
      </PostCard>
      <CommentComposer postId={id} />
      <EndlessList
        pages={pages}
        label={more.comments}
        empty={<Empty title={more.noComments} />}
        render={({ node }) => <Thread key={node.id} postId={post.id} comment={node} />}
      />
    </Page>
  );
}
