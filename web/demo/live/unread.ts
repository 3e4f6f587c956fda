import { useEffect, useRef } from 'react';
import { graphql } from '../../shared/graphql';
import { useAction } from '../api/use-action';
import { useLive } from './live';

const MarkRead = graphql(`
  mutation MarkRead($upTo: ID!) {
    notificationsMarkRead(input: { upTo: $upTo }) { viewer { unreadNotificationCount } userErrors { code message path } }
  }
`);

/** What is shown is read: tells plaza up to where, once for each newest. */
export function useMarkRead(newest: string | undefined): void {
  const { unread } = useLive();
  const { run } = useAction(MarkRead);
  const marked = useRef<string>(undefined);
  useEffect(() => {
    if (!newest || unread === 0 || marked.current === newest) return;
    marked.current = newest;
    void run({ upTo: newest });
  }, [newest, unread, run]);
}
