import { useQuery } from 'urql';
import { Link, paths } from '../router';
import { hashtagsOf, Newest } from './newest-hashtags';
import { more } from '../words';
import '../style/fresh-hashtags.css';

const MOST = 12;

/** Those that are there most often, of as many the one that was used last; each as it was written last. */
function mostUsed(names: readonly string[]): string[] {
  const found = new Map<string, { name: string; times: number }>();
  for (const name of names) {
    const before = found.get(name.toLowerCase());
    if (before) before.times += 1;
    else found.set(name.toLowerCase(), { name, times: 1 });
  }
  const sorted = [...found.values()].sort((a, b) => b.times - a.times);
  return sorted.slice(0, MOST).map(({ name }) => name);
}

/** What the newest posts are about, for who does not know what to look for. */
export function FreshHashtags() {
  const [{ data }] = useQuery({ query: Newest });
  const names = mostUsed(hashtagsOf(data));
  if (names.length === 0) return null;
  return (
    <section className="fresh-hashtags" aria-labelledby="fresh-hashtags">
      <h2 id="fresh-hashtags">{more.freshHashtags}</h2>
      <ul>
        {names.map((name) => (
          <li key={name}>
            <Link to={paths.hashtag(name)} className="chip clipped">
              #{name}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
