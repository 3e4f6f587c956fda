import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { newKey, type PlazaClient, type RequestFailed } from '@plaza/client';
import { getOperationAST, parse, type ExecutionResult } from 'graphql';

/**
 * Queries and mutations over HTTP, subscriptions over the socket, all as whoever is logged in through the helper. A header that stands in the headers
 * pane wins.
 */
export function createFetcher(plaza: PlazaClient): Fetcher {
  return async (asked, options) => {
    const { kind, name } = operationOf(asked);
    const params = { ...asked, operationName: name };
    if (kind === 'subscription') return events(plaza, params);
    const headers = Object.fromEntries(
      Object.entries(options?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    const key = kind === 'mutation' ? newKey() : undefined;
    return (await plaza.execute(params, { headers, key })) as ExecutionResult;
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

interface Observer {
  next: (result: unknown) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

/** What the answer's pane shows until something happens, in place of a wheel that turns. */
const LISTENING = {
  listening: 'Nothing has happened yet. Each event is shown here when it comes.',
};

/** As an observable, in the shape that GraphiQL knows. */
function events(plaza: PlazaClient, { query, variables, operationName = null }: FetcherParams) {
  const subscribe = (observer: Observer) => {
    observer.next(LISTENING);
    const unsubscribe = plaza.subscribe(
      query,
      (variables ?? {}) as Record<string, unknown>,
      {
        next: (data, errors) => observer.next({ data, ...(errors.length > 0 && { errors }) }),
        error: (error: RequestFailed) =>
          observer.error(error.errors.length > 0 ? error.errors : error),
        complete: () => observer.complete(),
      },
      { operationName },
    );
    return { unsubscribe };
  };
  return { subscribe } as ReturnType<Fetcher> & object;
}
