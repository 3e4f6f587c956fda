import { useSyncExternalStore } from 'react';
import type { LoggedIn, Session } from './session';

/** Who is logged in; renders again when that changes, here or in another tab. */
export function useSession(session: Session): LoggedIn | null {
  return useSyncExternalStore(session.subscribe, () => session.current);
}
