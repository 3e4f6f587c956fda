import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { Link, paths } from '../router';

export const EntityFragment = graphql(`
  fragment Entity on TextEntity { kind start end hashtag user { id handle } }
`);

/**
 * A text as it was written; the people and hashtags that plaza found in it lead to theirs. Places are in UTF-16 code units, as JavaScript counts.
 * A handle that is nobody's stays text.
 */
export function RichText({ text, entities }: { text: string; entities: readonly FragmentOf<typeof EntityFragment>[] }) {
  const parts = [];
  let at = 0;
  for (const masked of entities) {
    const { start, end, hashtag, user } = readFragment(EntityFragment, masked);
    const to = user ? paths.person(user.handle) : hashtag ? paths.hashtag(hashtag) : null;
    if (!to || start < at || end > text.length) continue;
    parts.push(
      text.slice(at, start),
      <Link key={start} to={to}>
        {text.slice(start, end)}
      </Link>,
    );
    at = end;
  }
  return (
    <p className="prose" dir="auto">
      {parts}
      {text.slice(at)}
    </p>
  );
}
