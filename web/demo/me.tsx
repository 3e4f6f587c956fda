import { createContext, useContext } from 'react';
import type { LoggedIn, PlazaClient, Session } from '@plaza/client';
import { useSession } from '../shared/use-session';

export const PlazaContext = createContext<PlazaClient | null>(null);

export function usePlaza(): PlazaClient {
  const plaza = useContext(PlazaContext);
  if (!plaza) throw new Error('outside of a PlazaContext');
  return plaza;
}

export function useLogIn(): Session {
  return usePlaza().session;
}

/** Who is logged in. */
export function useMe(): LoggedIn | null {
  return useSession(useLogIn());
}
