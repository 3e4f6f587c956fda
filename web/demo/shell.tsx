import { useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { useQuery } from 'urql';
import plazaMark from '../shared/plaza.svg';
import { graphql } from '../shared/graphql';
import { useIsDelayed, useWaitingCount } from './api/waiting';
import { useLive } from './live/live';
import { useMe } from './me';
import { number } from './parts/format';
import { Icon, type IconName } from './parts/icon';
import { ProductCard, ProductCardFragment } from './parts/product-card';
import { Toasts } from './parts/toasts';
import { useOnline } from './live/online';
import { Shortcuts } from './parts/shortcuts';
import { Link, paths, usePath } from './router';
import { setUnread } from './title';
import { w } from './words';

/** What is around every page: the way to the others, and how things stand. */
export function Shell({ children }: { children: ReactNode }) {
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {w.skip}
      </a>
      <header className="top">
        <Link to="/" className="brand">
          <img src={plazaMark} alt="" width="28" height="28" />
          plaza
        </Link>
        <Ways />
      </header>
      <main id="main" tabIndex={-1}>
        <OfflineNotice />
        {children}
      </main>
      <Side />
      <Toasts />
      <Shortcuts />
    </div>
  );
}

function Ways() {
  const me = useMe();
  const { unread } = useLive();
  useEffect(() => setUnread(unread), [unread]);
  return (
    <>
      <nav className="ways" aria-label="plaza">
        {me && <Way to="/" icon="home" name={w.home} />}
        <Way to="/search" icon="search" name={w.search} />
        <Way to="/shop" icon="shop" name={w.shop} />
        {me && <Way to="/orders" icon="orders" name={w.orders} />}
        {me && <Way to="/notifications" icon="bell" name={w.notifications} count={unread} />}
        {me && <Way to={paths.person(me.handle)} icon="person" name={w.profile} />}
        {me && <Way to="/analytics" icon="chart" name={w.analytics} wide />}
        {me && <Way to="/settings" icon="gear" name={w.settings} wide />}
        {!me && <Way to="/login" icon="person" name={w.logIn} />}
        {!me && <Way to="/signup" icon="key" name={w.signUp} />}
      </nav>
      {me && <Connection />}
    </>
  );
}

function Way({
  to,
  icon,
  name,
  count = 0,
  wide = false,
}: {
  to: string;
  icon: IconName;
  name: string;
  count?: number;
  wide?: boolean;
}) {
  const path = usePath();
  return (
    <Link
      to={to}
      className={wide ? 'way-to way-to-wide' : 'way-to'}
      data-within={to !== '/' && path.startsWith(`${to}/`) ? '' : undefined}
    >
      <Icon name={icon} />
      <span>{name}</span>
      {count > 0 && (
        <span className="badge badge-count" aria-label={w.unread(number(count))}>
          {count > 99 ? '99+' : number(count)}
        </span>
      )}
    </Link>
  );
}

function Connection() {
  const { connection } = useLive();
  // A network that is gone closes no socket: the device knows it before.
  const stands = useOnline() ? connection : 'offline';
  return (
    <p className={`connection connection-${stands}`} role="status">
      {w.connection[stands]}
    </p>
  );
}

/**
 * What holds while there is no network, or plaza does not answer: in every tab, also in those that
 * have done nothing, for what waits is the person's and not the tab's.
 */
function OfflineNotice() {
  const [online, waiting, delayed] = [useOnline(), useWaitingCount(), useIsDelayed()];
  if (online && !delayed) return null;
  return (
    <p className="offline" role="status">
      {online ? w.waitingStill(waiting) : w.offline}
      {!online && waiting > 0 && ` ${w.waiting(waiting)}`}
    </p>
  );
}

const Newest = graphql(
  `
    query Newest { products(first: 3) { edges { cursor node { id ...ProductCard } } pageInfo { endCursor hasNextPage } } }
  `,
  [ProductCardFragment],
);

const WIDE = matchMedia('(min-width: 1100px)');

function onWidth(listener: () => void): () => void {
  WIDE.addEventListener('change', listener);
  return () => WIDE.removeEventListener('change', listener);
}

/** Beside the page where there is room; asked for only then. */
function Side() {
  const wide = useSyncExternalStore(onWidth, () => WIDE.matches);
  const [path, me] = [usePath(), useMe()];
  // Where the page itself shows them, they are not shown twice.
  const shown = wide && path !== '/shop' && (path !== '/' || me !== null);
  const [{ data }] = useQuery({ query: Newest, pause: !shown });
  const edges = data?.products?.edges ?? [];
  if (!shown || edges.length === 0) return null;
  return (
    <aside className="side" aria-label={w.newInShop}>
      <h2>{w.newInShop}</h2>
      {edges.map(({ node }) => (
        <ProductCard key={node.id} product={node} small />
      ))}
    </aside>
  );
}
