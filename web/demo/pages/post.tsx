import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { CommentComposer } from '../parts/composer';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { Ago, Avatar, Byline, Prose } from '../parts/small';
import { EndlessList, Empty, Failed, Skeletons } from '../parts/states';

const PostWithComments = graphql(
  `
    query PostWithComments($id: ID!, $first: Int!, $after: String) {
      post(id: $id) {
        id
        ...PostCard
        comments(first: $first, after: $after) {
          edges { cursor node { id text createdAt author { id handle displayName } } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

export function PostPage({ id }: { id: string }) {
  const pages = usePages({ query: PostWithComments, variables: { id, first: 30 }, connection: (data) => data.post?.comments });
  const post = pages.data?.post;
  if (!post) {
    return (
      <Page title="Post" hideTitle>
        {pages.fetching ? <Skeletons count={1} /> : pages.error ? <Failed error={pages.error} retry={pages.reload} /> : <Empty title="This post is not here">It was deleted, or is not for you to see.</Empty>}
      </Page>
    );
  }
  return (
    <Page title="Post" hideTitle>
      <PostCard post={post} whole />
      <CommentComposer postId={id} />
      <EndlessList
        pages={pages}
        label="Comments"
        empty={<Empty title="No comments yet" />}
        render={({ node: { id, text, createdAt, author } }) => (
          <li key={id} className={id.startsWith('unsent:') ? 'row row-unsent' : 'row'}>
            <Avatar handle={author?.handle ?? ''} name={author?.displayName ?? '?'} size="s" />
            <div className="row-body">
              <Byline person={author} />
              <Prose text={text} />
            </div>
            <span className="quiet">
              <Ago time={createdAt} />
            </span>
          </li>
        )}
      />
    </Page>
  );
}
