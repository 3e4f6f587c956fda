import type { LoggedIn, PlazaClient } from '@plaza/client';
import {
  lazy,
  Suspense,
  useEffect,
  useMemo,
  useRef,
  type ComponentType,
  type ReactNode,
} from 'react';
import { Provider } from 'urql';
import { createApi } from './api/client';
import { useWaiting } from './api/waiting';
import { Arrivals } from './live/arrivals';
import { LiveProvider } from './live/live';
import { toast } from './live/toasts';
import { PlazaContext, useMe } from './me';
import { HomePage } from './pages/home';
import { Boundary } from './parts/boundary';
import { Filled } from './parts/filled';
import { Page } from './parts/page';
import { Empty, Skeletons } from './parts/states';
import { Link, match, navigate, Redirect, toLogIn, usePath } from './router';
import { Shell } from './shell';
import { w, withMore } from './words';

/** A page that comes when somebody goes there: a chunk of its own. Home is in the first one, most visits begin there. */
function page<Name extends string, Props extends object>(
  load: () => Promise<Record<Name, ComponentType<Props>>>,
  name: Name,
) {
  return lazy<ComponentType<Props>>(async () => ({ default: (await withMore(load))[name] }));
}

const AnalyticsPage = page(() => import('./pages/analytics'), 'AnalyticsPage');
const HashtagPage = page(() => import('./pages/hashtag'), 'HashtagPage');
const NotificationsPage = page(() => import('./pages/notifications'), 'NotificationsPage');
const NotificationGroupsPage = page(
  () => import('./pages/notification-groups'),
  'NotificationGroupsPage',
);
const NotificationPreferencesPage = page(
  () => import('./pages/notification-preferences'),
  'NotificationPreferencesPage',
);
const OrdersPage = page(() => import('./pages/orders'), 'OrdersPage');
const PartsPage = page(() => import('./pages/parts'), 'PartsPage');
const PersonPage = page(() => import('./pages/person'), 'PersonPage');
const PostPage = page(() => import('./pages/post'), 'PostPage');
const ProductPage = page(() => import('./pages/product'), 'ProductPage');
const ResponsesPage = page(() => import('./pages/responses'), 'ResponsesPage');
const QuotePage = page(() => import('./pages/quote'), 'QuotePage');
const SearchPage = page(() => import('./pages/search'), 'SearchPage');
const SessionsPage = page(() => import('./pages/sessions'), 'SessionsPage');
const ShopPage = page(() => import('./pages/shop'), 'ShopPage');
const SettingsPage = page(() => import('./pages/settings'), 'SettingsPage');
const BlockedPage = page(() => import('./pages/blocked'), 'BlockedPage');
const RequestsPage = page(() => import('./pages/requests'), 'RequestsPage');
const PersonShopPage = page(() => import('./pages/person-shop'), 'PersonShopPage');
const FollowsPage = page(() => import('./pages/follows'), 'FollowsPage');
const LandingPage = page(() => import('./pages/landing'), 'LandingPage');
const LogInPage = page(() => import('./pages/log-in'), 'LogInPage');
const SignUpPage = page(() => import('./pages/log-in'), 'SignUpPage');

interface Route {
  pattern: string;
  /** For whom it is, when not for everybody. */
  only?: 'people' | 'guests';
  page: (named: Record<string, string>, me: LoggedIn | null) => ReactNode;
}

const ROUTES: readonly Route[] = [
  { pattern: '/', page: (_, me) => (me ? <HomePage /> : <LandingPage />) },
  { pattern: '/p/:id', page: ({ id = '' }) => <PostPage key={id} id={id} /> },
  { pattern: '/u/:handle', page: ({ handle = '' }) => <PersonPage key={handle} handle={handle} /> },
  {
    pattern: '/u/:handle/followers',
    page: ({ handle = '' }) => (
      <FollowsPage key={`${handle} followers`} handle={handle} side="followers" />
    ),
  },
  {
    pattern: '/u/:handle/following',
    page: ({ handle = '' }) => (
      <FollowsPage key={`${handle} following`} handle={handle} side="following" />
    ),
  },
  {
    pattern: '/u/:handle/shop',
    page: ({ handle = '' }) => <PersonShopPage key={handle} handle={handle} />,
  },
  { pattern: '/settings', only: 'people', page: () => <SettingsPage /> },
  { pattern: '/settings/blocked', only: 'people', page: () => <BlockedPage /> },
  { pattern: '/requests', only: 'people', page: () => <RequestsPage /> },
  {
    pattern: '/p/:id/quote',
    only: 'people',
    page: ({ id = '' }) => <QuotePage key={id} id={id} />,
  },
  {
    pattern: '/p/:id/likes',
    page: ({ id = '' }) => <ResponsesPage key={`${id} likes`} id={id} which="likes" />,
  },
  {
    pattern: '/p/:id/reposts',
    page: ({ id = '' }) => <ResponsesPage key={`${id} reposts`} id={id} which="reposts" />,
  },
  {
    pattern: '/p/:id/quotes',
    page: ({ id = '' }) => <ResponsesPage key={`${id} quotes`} id={id} which="quotes" />,
  },
  { pattern: '/tag/:name', page: ({ name = '' }) => <HashtagPage key={name} name={name} /> },
  { pattern: '/shop', page: () => <ShopPage /> },
  { pattern: '/shop/:id', page: ({ id = '' }) => <ProductPage key={id} id={id} /> },
  { pattern: '/orders', only: 'people', page: () => <OrdersPage /> },
  { pattern: '/analytics', only: 'people', page: () => <AnalyticsPage /> },
  { pattern: '/notifications', only: 'people', page: () => <NotificationGroupsPage /> },
  { pattern: '/notifications/all', only: 'people', page: () => <NotificationsPage /> },
  {
    pattern: '/notifications/preferences',
    only: 'people',
    page: () => <NotificationPreferencesPage />,
  },
  { pattern: '/search', page: () => <SearchPage /> },
  { pattern: '/sessions', only: 'people', page: () => <SessionsPage /> },
  { pattern: '/parts', page: () => <PartsPage /> },
  { pattern: '/login', only: 'guests', page: () => <LogInPage /> },
  { pattern: '/signup', only: 'guests', page: () => <SignUpPage /> },
];

export function App({ plaza }: { plaza: PlazaClient }) {
  return (
    <PlazaContext value={plaza}>
      <Plaza plaza={plaza} />
    </PlazaContext>
  );
}

/** Everything below belongs to one person: with another one it begins anew, with an empty cache. */
function Plaza({ plaza }: { plaza: PlazaClient }) {
  const me = useMe();
  const userId = me?.userId ?? 'nobody';
  const before = useRef(me);
  useEffect(() => {
    const ended = before.current !== null && me === null;
    before.current = me;
    if (!ended) return;
    if (plaza.session.left) return navigate('/');
    navigate(toLogIn(), { replace: true });
    toast('failed', w.sessionEnded);
  }, [me, plaza]);
  const { api, arrivals } = useMemo(() => {
    const arrivals = new Arrivals();
    return { arrivals, api: createApi(plaza, arrivals) };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the person is not read here, but begins it anew
  }, [plaza, userId]);
  useWaiting(api);
  return (
    <Provider value={api} key={userId}>
      <LiveProvider arrivals={arrivals}>
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
    if (only === 'people' && !me) return <Redirect to={toLogIn()} />;
    if (only === 'guests' && me) return <Redirect to={destination()} />;
    return (
      <Boundary key={path}>
        <Suspense fallback={<Skeletons />}>{page(named, me)}</Suspense>
      </Boundary>
    );
  }
  return (
    <Page title={w.nowhere} hideTitle>
      <Empty title={w.nothingHere}>
        <Filled message={w.wayHome} parts={[(words) => <Link to="/">{words}</Link>]} />
      </Empty>
    </Page>
  );
}
