import type { Client as Socket } from 'graphql-ws';
import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useQuery, useSubscription } from 'urql';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { NotificationRowFragment } from '../parts/notification-row';
import { PostCardFragment } from '../parts/post-card';
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

const Unread = graphql(`
  query Unread { viewer { unreadNotificationCount } }
`);

interface Live {
  arrivals: Arrivals;
  connection: 'opening' | 'open' | 'lost';
  /** Whether what happens from now on will be told; true after a while in any case, a list must not wait for a socket. */
  listening: boolean;
  /** How many notifications are unread, as plaza counts; the cache asks again when one comes and when some are read. */
  unread: number;
}

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

/** Listens for as long as somebody is logged in, whatever page is shown: what comes goes into the cache. */
export function LiveProvider({ socket, arrivals, children }: { socket: Socket; arrivals: Arrivals; children: ReactNode }) {
  const pause = useMe() === null;
  const [connection, setConnection] = useState<Live['connection']>('opening');
  const [waited, setWaited] = useState(false);

  useEffect(() => {
    const stops = [
      socket.on('connected', () => {
        setConnection('open');
        setWaited(true);
      }),
      socket.on('closed', () => setConnection('lost')),
    ];
    const patience = setTimeout(() => setWaited(true), PATIENCE_MS);
    return () => {
      stops.forEach((stop) => stop());
      clearTimeout(patience);
    };
  }, [socket]);

  useSubscription({ query: HomeUpdated, variables: {}, pause });
  useSubscription({ query: NotificationReceived, variables: {}, pause });
  const [{ data: counted }] = useQuery({ query: Unread, pause: pause || !waited });
  const unread = counted?.viewer?.unreadNotificationCount ?? 0;

  const live = useMemo(
    () => ({ arrivals, connection, listening: waited, unread }),
    [arrivals, connection, waited, unread],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}
