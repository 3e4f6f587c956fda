import type { Client as Socket } from 'graphql-ws';
import { useEffect, useMemo, type ReactNode } from 'react';
import { Provider } from 'urql';
import type { Session } from '../shared/session';
import { createApi } from './api/client';
import { Arrivals } from './live/arrivals';
import { LiveProvider } from './live/live';
import { SessionContext, useMe } from './me';
import { AnalyticsPage } from './pages/analytics';
import { HashtagPage } from './pages/hashtag';
import { HomePage } from './pages/home';
import { LogInPage, SignUpPage } from './pages/log-in';
import { NotificationsPage } from './pages/notifications';
import { NotificationGroupsPage } from './pages/notification-groups';
import { NotificationPreferencesPage } from './pages/notification-preferences';
import { OrdersPage } from './pages/orders';
import { PersonPage } from './pages/person';
import { PostPage } from './pages/post';
import { ProductPage } from './pages/product';
import { QuotePage } from './pages/quote';
import { SearchPage } from './pages/search';
import { SessionsPage } from './pages/sessions';
import { ShopPage } from './pages/shop';
import { Boundary } from './parts/boundary';
import { Page } from './parts/page';
import { Empty } from './parts/states';
import { Link, match, Redirect, usePath } from './router';
import { Shell } from './shell';

interface Route {
  pattern: string;
  /** For whom it is, when not for everybody. */
  only?: 'people' | 'guests';
  page: (named: Record<string, string>) => ReactNode;
}

const ROUTES: readonly Route[] = [
  { pattern: '/', only: 'people', page: () => <HomePage /> },
  { pattern: '/p/:id', page: ({ id = '' }) => <PostPage key={id} id={id} /> },
  { pattern: '/u/:handle', page: ({ handle = '' }) => <PersonPage key={handle} handle={handle} /> },
  { pattern: '/p/:id/quote', only: 'people', page: ({ id = '' }) => <QuotePage key={id} id={id} /> },
  { pattern: '/tag/:name', page: ({ name = '' }) => <HashtagPage key={name} name={name} /> },
  { pattern: '/shop', page: () => <ShopPage /> },
  { pattern: '/shop/:id', page: ({ id = '' }) => <ProductPage key={id} id={id} /> },
  { pattern: '/orders', only: 'people', page: () => <OrdersPage /> },
  { pattern: '/analytics', only: 'people', page: () => <AnalyticsPage /> },
  { pattern: '/notifications', only: 'people', page: () => <NotificationGroupsPage /> },
  { pattern: '/notifications/all', only: 'people', page: () => <NotificationsPage /> },
  { pattern: '/notifications/preferences', only: 'people', page: () => <NotificationPreferencesPage /> },
  { pattern: '/search', page: () => <SearchPage /> },
  { pattern: '/sessions', only: 'people', page: () => <SessionsPage /> },
  { pattern: '/login', only: 'guests', page: () => <LogInPage /> },
  { pattern: '/signup', only: 'guests', page: () => <SignUpPage /> },
];

export function App({ session, socket }: { session: Session; socket: Socket }) {
  return (
    <SessionContext value={session}>
      <Plaza session={session} socket={socket} />
    </SessionContext>
  );
}

/** Everything below belongs to one person: with another one it begins anew, with an empty cache and a socket of their own. */
function Plaza({ session, socket }: { session: Session; socket: Socket }) {
  const userId = useMe()?.userId ?? 'nobody';
  const { api, arrivals } = useMemo(() => {
    const arrivals = new Arrivals();
    return { arrivals, api: createApi(session, socket, arrivals) };
    // The person is not read here, but begins it anew.
  }, [session, socket, userId]);
  useEffect(() => () => socket.terminate(), [socket, userId]);
  return (
    <Provider value={api} key={userId}>
      <LiveProvider socket={socket} arrivals={arrivals}>
        <Shell>
          <Routed />
        </Shell>
      </LiveProvider>
    </Provider>
  );
}

/** Only a path of this demo is gone to after a log-in, never another site. */
function destination(): string {
  const to = new URLSearchParams(location.search).get('to') ?? '/';
  return /^\/(?![/\\])/.test(to) ? to : '/';
}

function Routed() {
  const me = useMe();
  const path = usePath();
  for (const { pattern, only, page } of ROUTES) {
    const named = match(pattern, path);
    if (!named) continue;
    if (only === 'people' && !me) return <Redirect to={path === '/' ? '/login' : `/login?to=${encodeURIComponent(path)}`} />;
    if (only === 'guests' && me) return <Redirect to={destination()} />;
    return <Boundary key={path}>{page(named)}</Boundary>;
  }
  return (
    <Page title="Not here" hideTitle>
      <Empty title="There is nothing here">
        The way <Link to="/">home</Link> is short.
      </Empty>
    </Page>
  );
}
