import { authExchange } from '@urql/exchange-auth';
import { retryExchange } from '@urql/exchange-retry';
import type { Client as Socket } from 'graphql-ws';
import {
  Client,
  fetchExchange,
  makeOperation,
  mapExchange,
  subscriptionExchange,
  type CombinedError,
  type Exchange,
} from 'urql';
import { ENDPOINT, plazaFetch } from '../../shared/http';
import { IDEMPOTENCY_KEY, newKey } from '../../shared/idempotency';
import { isTransient } from '../../shared/request';
import type { Session } from '../../shared/session';
import { subscribeResuming } from '../../shared/socket';
import type { Arrivals } from '../live/arrivals';
import { createCache } from './cache';

declare module 'urql' {
  interface OperationContext {
    /** Names a mutation that is sent again by hand: the key of the first time. */
    idempotencyKey?: string;
  }
}

export function codesOf(error: CombinedError | undefined): string[] {
  return (error?.graphQLErrors ?? []).map(({ extensions }) =>
    typeof extensions.code === 'string' ? extensions.code : 'UNKNOWN',
  );
}

/** A client for one person (or for nobody): its cache ends with the log-in. */
export function createApi(session: Session, socket: Socket, arrivals: Arrivals): Client {
  return new Client({
    url: ENDPOINT,
    fetch: plazaFetch,
    preferGetMethod: false,
    exchanges: [
      keyed,
      createCache(session.current, arrivals),
      retrying(),
      authorized(session),
      fetchExchange,
      live(socket),
    ],
  });
}

/** Gives every mutation its idempotency key before anything may send it twice. */
const keyed: Exchange = mapExchange({
  onOperation: (operation) => {
    if (operation.kind !== 'mutation') return operation;
    const { fetchOptions, idempotencyKey = newKey() } = operation.context;
    const given = typeof fetchOptions === 'function' ? fetchOptions() : fetchOptions;
    const headers = {
      ...(given?.headers as Record<string, string> | undefined),
      [IDEMPOTENCY_KEY]: idempotencyKey,
    };
    return makeOperation(operation.kind, operation, {
      ...operation.context,
      fetchOptions: { ...given, headers },
    });
  },
});

/** Sends again what may succeed the next time; a mutation under its key, so that it is done once. */
function retrying(): Exchange {
  return retryExchange({
    initialDelayMs: 400,
    maxDelayMs: 5_000,
    maxNumberAttempts: 4,
    retryIf: (error, operation) => {
      if (error.networkError) return operation.kind !== 'subscription';
      // A query that could be answered in part is shown in part at once; its errors have a path.
      const refused = error.graphQLErrors.filter(
        ({ path }) => operation.kind === 'mutation' || !path?.length,
      );
      return refused.some(({ extensions }) => isTransient(extensions.code));
    },
  });
}

function authorized(session: Session): Exchange {
  return authExchange(async (utils) => ({
    addAuthToOperation: (operation) => {
      const token = session.current?.accessToken;
      return token
        ? utils.appendHeaders(operation, { Authorization: `Bearer ${token}` })
        : operation;
    },
    willAuthError: () => session.isStale,
    didAuthError: (error) => session.current !== null && codesOf(error).includes('UNAUTHENTICATED'),
    // That plaza cannot be reached now is told by the request that follows.
    refreshAuth: () => session.renew().catch(() => undefined),
  }));
}

function live(socket: Socket): Exchange {
  return subscriptionExchange({
    forwardSubscription: ({ query = '', variables }) => {
      const payload = { query, variables: variables as Record<string, unknown> };
      return {
        subscribe: (sink) => ({
          unsubscribe: subscribeResuming(
            socket,
            payload,
            sink as unknown as Parameters<typeof subscribeResuming>[2],
          ),
        }),
      };
    },
  });
}
