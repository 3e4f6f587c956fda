import { createContext, useContext } from 'react';
import type { LoggedIn, Session } from '../shared/session';
import { useSession } from '../shared/use-session';

export const SessionContext = createContext<Session | null>(null);

export function useLogIn(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('outside of a SessionContext');
  return session;
}

/** Who is logged in. */
export function useMe(): LoggedIn | null {
  return useSession(useLogIn());
}
