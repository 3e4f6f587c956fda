import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { PostComposer } from '../parts/composer';
import { Page } from '../parts/page';
import { QuotedPost, QuotedPostFragment } from '../parts/post-card';
import { Empty, Failed, Skeletons } from '../parts/states';
import { navigate } from '../router';

const ToQuote = graphql(
  `
    query ToQuote($id: ID!) {
      post(id: $id) { id ...QuotedPost }
    }
  `,
  [QuotedPostFragment],
);

/** Writing something about another post. */
export function QuotePage({ id }: { id: string }) {
  const [{ data, error, fetching }, reload] = useQuery({ query: ToQuote, variables: { id } });
  const post = data?.post;
  if (!post) {
    return (
      <Page title="Quote" hideTitle>
        {fetching ? (
          <Skeletons count={1} />
        ) : error && !isNoSuchThing(error) ? (
          <Failed error={error} retry={reload} />
        ) : (
          <Empty title="This post is not here">It was deleted, or is not for you to see.</Empty>
        )}
      </Page>
    );
  }
  return (
    <Page title="Quote">
      <PostComposer
        quotedPostId={id}
        placeholder="What do you say to this?"
        written={() => navigate('/')}
      />
      <div className="quoting">
        <QuotedPost post={post} />
      </div>
    </Page>
  );
}
