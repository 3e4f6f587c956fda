import { PlazaClient } from '@plaza/client';

/** The API of the page's own origin, as whoever is logged in at this page's part of plaza. */
export function createPlaza(name: string): PlazaClient {
  return new PlazaClient({ url: new URL('/graphql', location.href).href, name });
}
