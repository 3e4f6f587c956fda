import {
  Network,
  Observable,
  type GraphQLResponse,
  type INetwork,
  type RequestParameters,
  type Variables,
} from 'relay-runtime';
import type { PlazaClient } from '../client.js';
import { run, type Asked, type Durable } from './operation.js';

/** What plaza's network reads of a cache configuration's `metadata`. */
export interface PlazaMetadata {
  /** See {@link Durable}; for mutations. */
  durable?: Durable;
  /** Names a mutation that is sent again by hand: the key of the first time. */
  idempotencyKey?: string;
}

/**
 * Relay's operations through plaza's client: the network of an `Environment`. It takes operations
 * by their text, as the compiler writes them without `persistConfig`.
 */
export function plazaNetwork(plaza: PlazaClient): INetwork {
  const observed = (
    { text, name, operationKind: kind }: RequestParameters,
    variables: Variables,
    metadata: PlazaMetadata = {},
  ) =>
    Observable.create<GraphQLResponse>((sink) => {
      if (!text) {
        sink.error(new Error(`${name} has no text: compile it without persistConfig`));
        return;
      }
      const { durable, idempotencyKey: key } = metadata;
      const asked: Asked = {
        kind: kind,
        operation: text,
        variables,
        durable,
        key,
      };
      return run(plaza, asked, {
        next: (result) => sink.next(result as GraphQLResponse),
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
    });
  return Network.create(
    (request, variables, { metadata }) => observed(request, variables, metadata),
    (request, variables) => observed(request, variables),
  );
}
