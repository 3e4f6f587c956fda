import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import { useQuery, useSubscription } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { useMe, usePlaza } from '../me';
import { NotificationRowFragment } from '../parts/notification-fragment';
import { PostCardFragment } from '../parts/post-card';
import { usePath } from '../router';
import type { Arrivals } from './arrivals';

const HomeUpdated = graphql(
  `
    subscription HomeUpdated($after: String) {
      homeUpdated(after: $after) { cursor node { id ...PostCard } }
    }
  `,
  [PostCardFragment],
);

const NotificationReceived = graphql(
  `
    subscription NotificationReceived($after: String) {
      notificationReceived(after: $after) { cursor node { id ...NotificationRow } }
    }
  `,
  [NotificationRowFragment],
);

/** What the frame says of the viewer, in one request: each costs a kilobyte, whatever it asks. */
const OfViewer = graphql(`
  query OfViewer { viewer { unreadNotificationCount user { id avatar { id url(size: SMALL) } } } }
`);

interface Live {
  arrivals: Arrivals;
  connection: 'opening' | 'open' | 'lost';
  /** Whether what happens from now on will be told; true after a while in any case, a list must not wait for a socket. */
  listening: boolean;
  /** Where the home feed is listened from: `undefined` until its first page says so, null from when the socket stood. */
  from: string | null | undefined;
  /** The first page of the home feed is there, with this cursor at its head. */
  resumeFrom: (cursor: string | null) => void;
  /** How many notifications are unread, as plaza counts; the cache asks again when one comes and when some are read. */
  unread: number;
  /** The viewer's own picture; `undefined` until it is known. */
  picture: Picture;
}

type Picture =
  NonNullable<NonNullable<ResultOf<typeof OfViewer>['viewer']>['user']>['avatar'] | undefined;

const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('outside of a LiveProvider');
  return live;
}

/** The posts that have come and are not shown yet. */
export function useHeld(): ReadonlySet<string> {
  const { arrivals } = useLive();
  return useSyncExternalStore(arrivals.subscribe, () => arrivals.held);
}

const PATIENCE_MS = 1_500;
/** Where the home feed is shown, or comes next. */
const COMES_HOME: ReadonlySet<string> = new Set(['/', '/login', '/signup']);

/** Listens for as long as somebody is logged in, whatever page is shown: what comes goes into the cache. */
export function LiveProvider({ arrivals, children }: { arrivals: Arrivals; children: ReactNode }) {
  const { socket } = usePlaza();
  const pause = useMe() === null;
  const [connection, setConnection] = useState<Live['connection']>('opening');
  const [waited, setWaited] = useState(false);

  useEffect(() => {
    const stop = socket.onState((state) => {
      // Opening is so to say lost until it is open, but for the first time.
      if (state === 'open') setWaited(true);
      if (state !== 'opening') setConnection(state === 'open' ? 'open' : 'lost');
    });
    const patience = setTimeout(() => setWaited(true), PATIENCE_MS);
    return () => {
      stop();
      clearTimeout(patience);
    };
  }, [socket]);

  // A page of the feed says from where on to listen: it is asked for at once, and nothing is lost however long the socket takes.
  const [from, setFrom] = useState<string | null>();
  const path = usePath();
  useEffect(() => {
    if (!COMES_HOME.has(path)) setFrom((known) => (known === undefined ? null : known));
  }, [path]);
  const resumeFrom = useCallback(
    (cursor: string | null) => setFrom((known) => (known === undefined ? cursor : known)),
    [],
  );
  const after = from ?? null;
  useSubscription({ query: HomeUpdated, variables: { after }, pause: pause || from === undefined });
  useSubscription({ query: NotificationReceived, variables: {}, pause });
  const [{ data }] = useQuery({ query: OfViewer, pause: pause || !waited });
  const unread = data?.viewer?.unreadNotificationCount ?? 0;
  const picture = data?.viewer?.user?.avatar;

  const live = useMemo(
    () => ({ arrivals, connection, listening: waited, from, resumeFrom, unread, picture }),
    [arrivals, connection, waited, from, resumeFrom, unread, picture],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}
