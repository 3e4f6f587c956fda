import { useEffect, useRef, type ReactNode } from 'react';
import type { CombinedError } from 'urql';
import { explain, type Problem } from '../api/problem';
import type { Pages } from '../api/use-pages';
import { useLive } from '../live/live';
import { w } from '../words';

/** What a page looks like before it is there. */
export function Skeletons({ count = 4, tall = false }: { count?: number; tall?: boolean }) {
  return (
    <div
      role="status"
      aria-label={w.loading}
      className={tall ? 'skeletons skeletons-tall' : 'skeletons'}
    >
      {Array.from({ length: count }, (_, index) => (
        <div key={index} className="skeleton" aria-hidden="true">
          <span className="skeleton-dot" />
          <span className="skeleton-line" />
          <span className="skeleton-line skeleton-short" />
        </div>
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Failed({ error, retry }: { error: CombinedError; retry: () => void }) {
  const again = useRef(retry);
  again.current = retry;
  useEffect(() => {
    const back = () => again.current();
    addEventListener('online', back);
    return () => removeEventListener('online', back);
  }, []);
  // plaza is back: what failed without it is asked for again.
  const { connection } = useLive();
  const before = useRef(connection);
  useEffect(() => {
    if (connection === 'open' && before.current !== 'open') again.current();
    before.current = connection;
  }, [connection]);
  return (
    <div className="state state-failed" role="alert">
      <h2>{w.notLoaded}</h2>
      <p>{explain(error)}</p>
      <button type="button" className="button" onClick={retry}>
        {w.tryAgain}
      </button>
    </div>
  );
}

/** Why an action did not happen. */
export function ProblemLine({ problem }: { problem: Problem | null }) {
  return (
    <p role="alert" className="problem" hidden={!problem}>
      {problem?.message}
    </p>
  );
}

interface ListProps<Data, Edge> {
  pages: Pages<Data, Edge>;
  empty: ReactNode;
  label: string;
  tall?: boolean;
  className?: string;
  render: (edge: Edge) => ReactNode;
}

/** A shorter list is seen to be all. */
const WORTH_AN_END = 8;

/** A list that loads on as its end comes near; the button is for keyboards, and for where nothing scrolls. */
export function EndlessList<Data, Edge>({
  pages,
  empty,
  label,
  tall = false,
  className = 'list',
  render,
}: ListProps<Data, Edge>) {
  const { edges, error, fetching, reload, hasMore, loadMore, loadingMore, moreError } = pages;
  if (!edges) {
    if (error) return <Failed error={error} retry={reload} />;
    return fetching ? <Skeletons tall={tall} /> : empty;
  }
  return (
    <>
      {error && <Partial error={error} retry={reload} />}
      {edges.length === 0 && !hasMore ? (
        empty
      ) : (
        <ul className={className} aria-label={label} aria-busy={loadingMore}>
          {edges.map(render)}
        </ul>
      )}
      {moreError && <Failed error={moreError} retry={loadMore} />}
      {hasMore && !moreError && (
        <More busy={loadingMore} loadMore={loadMore} length={edges.length} />
      )}
      {!hasMore && edges.length >= WORTH_AN_END && <p className="list-end quiet">{w.listEnd}</p>}
    </>
  );
}

/** Some of it is there. */
function Partial({ error, retry }: { error: CombinedError; retry: () => void }) {
  return (
    <div className="notice" role="status">
      <span>
        {explain(error)} {w.someMissing}
      </span>
      <button type="button" className="button button-quiet" onClick={retry}>
        {w.tryAgain}
      </button>
    </div>
  );
}

function More({ busy, loadMore, length }: { busy: boolean; loadMore: () => void; length: number }) {
  const end = useRef<HTMLDivElement>(null);
  const load = useRef(loadMore);
  load.current = loadMore;
  // Observed anew after each page: an end that stays in sight would not be told of twice.
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && load.current(),
      { rootMargin: '800px' },
    );
    if (end.current) observer.observe(end.current);
    return () => observer.disconnect();
  }, [length, busy]);
  return (
    <div className="more" ref={end}>
      <button type="button" className="button button-quiet" onClick={loadMore} disabled={busy}>
        {busy ? w.loadingMore : w.loadMore}
      </button>
    </div>
  );
}
