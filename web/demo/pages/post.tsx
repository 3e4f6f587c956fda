import { graphql } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { usePages } from '../api/use-pages';
import { CommentFragment } from '../parts/comment';
import { CommentComposer } from '../parts/composer';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { BackHeader } from '../parts/small';
import { EndlessList, Empty, Failed, Skeletons } from '../parts/states';
import { Thread } from '../parts/thread';

const PostWithComments = graphql(
  `
    query PostWithComments($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        text author { id displayName }
        ...PostCard
        comments(first: $first, after: $after) {
          edges { cursor node { id ...CommentParts } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment, CommentFragment],
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
      <Page title="Post" hideTitle>
        {pages.fetching ? (
          <Skeletons count={1} />
        ) : pages.error && !isNoSuchThing(pages.error) ? (
          <Failed error={pages.error} retry={pages.reload} />
        ) : (
          <Empty title="This post is not here">It was deleted, or is not for you to see.</Empty>
        )}
      </Page>
    );
  }
  const beginning = post.text.split('\n')[0] ?? '';
  const title = `${post.author?.displayName ?? 'Post'}: ${beginning.length > 60 ? `${beginning.slice(0, 60)}…` : beginning}`;
  return (
    <Page title={title} heading="Post" hideTitle>
      <BackHeader title="Post" to="/" />
      <PostCard post={post} whole />
      <CommentComposer postId={id} />
      <EndlessList
        pages={pages}
        label="Comments"
        empty={<Empty title="No comments yet" />}
        render={({ node }) => <Thread key={node.id} postId={post.id} comment={node} />}
      />
    </Page>
  );
}
