import { ApolloLink, Observable } from '@apollo/client/core';
import type { PlazaClient } from '../client.js';
import { run, type Durable } from './operation.js';

declare module '@apollo/client' {
  interface DefaultContext {
    /** See {@link Durable}; for mutations. */
    durable?: Durable;
    /** Names a mutation that is sent again by hand: the key of the first time. */
    idempotencyKey?: string;
  }
}

/**
 * Apollo's operations through plaza's client: the last link of a chain, in the place of an
 * `HttpLink`, of links for the token and for retries, and of a `GraphQLWsLink`.
 */
export function plazaLink(plaza: PlazaClient): ApolloLink {
  return new ApolloLink(({ query, variables, operationType, getContext }) => {
    const { durable, idempotencyKey: key } = getContext();
    const asked = { kind: operationType, operation: query, variables, durable, key };
    return new Observable((observer) =>
      run(plaza, asked, {
        next: (result) => observer.next(result as ApolloLink.Result),
        error: (error) => observer.error(error),
        complete: () => observer.complete(),
      }),
    );
  });
}
