import type { PlazaClient } from '@plaza/client';
import { plazaExchange } from '@plaza/client/urql';
import { Client } from 'urql';
import type { Arrivals } from '../live/arrivals';
import { createCache } from './cache';

/** A client for one person (or for nobody): its cache ends with the log-in. */
export function createApi(plaza: PlazaClient, arrivals: Arrivals): Client {
  return new Client({
    // The exchange asks, not urql: the address is unused.
    url: '/graphql',
    preferGetMethod: false,
    exchanges: [createCache(plaza.session.current, arrivals), plazaExchange(plaza)],
  });
}
