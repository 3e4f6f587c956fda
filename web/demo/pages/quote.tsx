import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { isNoSuchThing } from '../api/problem';
import { PostComposer } from '../parts/composer';
import { Page } from '../parts/page';
import { QuotedPost, QuotedPostFragment } from '../parts/post-card';
import { Empty, Failed, Skeletons } from '../parts/states';
import { navigate } from '../router';
import { more, w } from '../words';

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
      <Page title={w.quote} hideTitle>
        {fetching ? (
          <Skeletons count={1} />
        ) : error && !isNoSuchThing(error) ? (
          <Failed error={error} retry={reload} />
        ) : (
          <Empty title={more.postGone}>{more.postGoneWhy}</Empty>
        )}
      </Page>
    );
  }
  return (
    <Page title={w.quote}>
      <PostComposer
        quotedPostId={id}
        placeholder={more.whatDoYouSay}
        written={() => navigate('/')}
      />
      <div className="quoting">
        <QuotedPost post={post} />
      </div>
    </Page>
  );
}
