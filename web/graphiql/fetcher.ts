import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, parse, type ExecutionResult } from 'graphql';
import type { Client } from 'graphql-ws';
import { ENDPOINT, plazaFetch } from '../shared/http';
import { IDEMPOTENCY_KEY, newKey } from '../shared/idempotency';
import type { Session } from '../shared/session';
import { subscribeResuming } from '../shared/socket';

/**
 * Queries and mutations over HTTP, subscriptions over the socket, all as whoever is logged in through the helper. A header that stands in the headers
 * pane wins.
 */
export function createFetcher(session: Session, socket: Client): Fetcher {
  return async (asked, options) => {
    const { kind, name } = operationOf(asked);
    const params = { ...asked, operationName: name };
    if (kind === 'subscription') return events(socket, params);
    const headers = new Headers({
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    });
    const token = await session.accessToken();
    if (token) headers.set('authorization', `Bearer ${token}`);
    if (kind === 'mutation') headers.set(IDEMPOTENCY_KEY, newKey());
    for (const [name, value] of Object.entries(options?.headers ?? {}))
      headers.set(name, String(value));
    const response = await plazaFetch(ENDPOINT, {
      method: 'POST',
      headers,
      body: JSON.stringify(params),
    });
    return (await response.json()) as ExecutionResult;
  };
}

/** What is to be run. GraphiQL's own idea of it follows the editor by a moment: just after a tab was opened it is still of the one before. */
function operationOf({ query, operationName }: FetcherParams): {
  kind?: string | undefined;
  name: string | null;
} {
  try {
    const document = parse(query);
    const operation = getOperationAST(document, operationName) ?? getOperationAST(document);
    return { kind: operation?.operation, name: operation?.name?.value ?? null };
  } catch {
    // plaza says what is wrong with it.
    return { name: operationName ?? null };
  }
}

type Observer = Parameters<typeof subscribeResuming>[2];

/** As an observable, in the shape that GraphiQL knows. */
function events(socket: Client, { query, variables, operationName = null }: FetcherParams) {
  const payload = { query, variables: variables as Record<string, unknown>, operationName };
  const subscribe = (observer: Observer) => ({
    unsubscribe: subscribeResuming(socket, payload, observer),
  });
  return { subscribe } as ReturnType<Fetcher> & object;
}
