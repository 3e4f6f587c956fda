import { ApolloLink, Observable } from '@apollo/client/core';
import { Kind, type DocumentNode } from 'graphql';
import type { PlazaClient } from '../client.js';
import { run, type Asked, type Durable } from './operation.js';

declare module '@apollo/client' {
  interface DefaultContext {
    /** See {@link Durable}; for mutations. */
    durable?: Durable;
    /** Names a mutation that is sent again by hand: the key of the first time. */
    idempotencyKey?: string;
  }
}

/** What is to be run; Apollo 3 has not said it beside the document. */
function kindOf(query: DocumentNode): Asked['kind'] {
  for (const definition of query.definitions)
    if (definition.kind === Kind.OPERATION_DEFINITION) return definition.operation;
  return 'query';
}

/**
 * Apollo's operations through plaza's client: the last link of a chain, in the place of an
 * `HttpLink`, of links for the token and for retries, and of a `GraphQLWsLink`. For Apollo Client 3
 * and 4.
 */
export function plazaLink(plaza: PlazaClient): ApolloLink {
  return new ApolloLink(({ query, variables, getContext }) => {
    const { durable, idempotencyKey: key } = getContext();
    const asked: Asked = { kind: kindOf(query), operation: query, variables, durable, key };
    return new Observable((observer) =>
      run(plaza, asked, {
        next: (result) => observer.next(result as ApolloLink.Result),
        error: (error) => observer.error(error),
        complete: () => observer.complete(),
      }),
    );
  });
}
