import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { PostCard, PostCardFragment } from '../parts/post-card';
import { EndlessList, Empty, Failed, Skeletons } from '../parts/states';
import { more } from '../words';
import '../style/profile.css';

const WithHashtag = graphql(
  `
    query WithHashtag($name: String!, $first: Int!, $after: String) {
      hashtag(name: $name) {
        name postCount
        posts(first: $first, after: $after) {
          edges { cursor node { id ...PostCard } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  `,
  [PostCardFragment],
);

export function HashtagPage({ name }: { name: string }) {
  const pages = usePages({
    query: WithHashtag,
    variables: { name, first: 20 },
    connection: (data) => data.hashtag?.posts,
  });
  const hashtag = pages.data?.hashtag;
  if (!hashtag) {
    return (
      <Page title={`#${name}`} hideTitle>
        {pages.fetching ? (
          <Skeletons count={3} />
        ) : pages.error ? (
          <Failed error={pages.error} retry={pages.reload} />
        ) : (
          <Empty title={more.noHashtag(`#${name}`)} />
        )}
      </Page>
    );
  }
  return (
    <Page title={`#${hashtag.name}`} hideTitle>
      <section className="profile" aria-label={more.hashtag}>
        <div className="profile-name">
          <h2 dir="auto">#{hashtag.name}</h2>
          <p className="quiet">
            {hashtag.postCount === null ? '–' : more.postCount(hashtag.postCount)}
          </p>
        </div>
      </section>
      <EndlessList
        pages={pages}
        label={more.postsWith(`#${hashtag.name}`)}
        empty={<Empty title={more.noPosts}>{more.firstWith(`#${hashtag.name}`)}</Empty>}
        render={({ node }) => (
          <li key={node.id}>
            <PostCard post={node} />
          </li>
        )}
      />
    </Page>
  );
}
