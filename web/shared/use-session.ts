import { useCallback, useSyncExternalStore } from 'react';
import type { LoggedIn, Session } from '@plaza/client';

/** Who is logged in; renders again when that changes, here or in another tab. */
export function useSession(session: Session): LoggedIn | null {
  const subscribe = useCallback((listener: () => void) => session.subscribe(listener), [session]);
  return useSyncExternalStore(subscribe, () => session.current);
}
