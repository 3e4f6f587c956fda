import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { more } from '../words';
import '../style/responses.css';

export const ResponseCountsFragment = graphql(`
  fragment ResponseCounts on Post { id likeCount repostCount quoteCount }
`);

/** How often a post was liked, reposted and quoted; each leads to by whom. */
export function ResponseCounts({
  post: masked,
}: {
  post: FragmentOf<typeof ResponseCountsFragment>;
}) {
  const { id, likeCount, repostCount, quoteCount } = readFragment(ResponseCountsFragment, masked);
  const counts = [
    ['likes', likeCount],
    ['reposts', repostCount],
    ['quotes', quoteCount],
  ] as const;
  // Where there is none, or a part of plaza does not say, there is nothing to go to.
  const there = counts.flatMap(([which, count]) => (count ? [{ which, count }] : []));
  if (there.length === 0) return null;
  return (
    <ul className="responses" aria-label={more.responsesToPost}>
      {there.map(({ which, count }) => (
        <li key={which}>
          <Link to={paths.responses(id, which)}>{more.responseCount[which](count)}</Link>
        </li>
      ))}
    </ul>
  );
}
