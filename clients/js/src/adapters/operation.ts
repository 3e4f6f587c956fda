import type { DocumentNode } from 'graphql';
import type { PlazaClient } from '../client.js';
import { RequestFailed, type GraphQLFailure } from '../errors.js';
import { textOf } from '../http.js';
import type { AddOptions, Queued } from '../queue.js';

/**
 * Whether a mutation goes through the durable queue, where it survives a restart: with the options
 * of its entry, or as one who waits for an entry that is in it already. Default: it does not.
 */
export type Durable = boolean | Pick<AddOptions, 'note' | 'attempts'> | { entry: Queued };

/** An operation as a GraphQL library asks for it. */
export interface Asked {
  kind: 'query' | 'mutation' | 'subscription';
  operation: DocumentNode | string;
  variables: Record<string, unknown>;
  durable?: Durable | undefined;
  /** The idempotency key of a mutation that is sent again by hand. */
  key?: string | undefined;
}

/** A result in the shape that every GraphQL library takes: no errors are no list. */
export interface Result {
  data: unknown;
  errors?: readonly GraphQLFailure[];
}

export interface Observer {
  next: (result: Result) => void;
  /** There was no response of GraphQL's: an error of the network. */
  error: (error: Error) => void;
  complete: () => void;
}

/** Runs an operation; returns how to stop it. What the server refuses is a result, with errors. */
export function run(plaza: PlazaClient, asked: Asked, observer: Observer): () => void {
  const { kind, variables } = asked;
  const operation = textOf(asked.operation);
  const give = (data: unknown, errors: readonly GraphQLFailure[] = []) => {
    observer.next(errors.length > 0 ? { data, errors } : { data });
  };
  const fail = (error: unknown) => {
    if (!(error instanceof RequestFailed) || error.errors.length === 0) {
      observer.error(error as Error);
      return;
    }
    give(null, error.errors);
    observer.complete();
  };
  if (kind === 'subscription') {
    const complete = () => observer.complete();
    return plaza.subscribe(operation, variables, { next: give, error: fail, complete });
  }
  const stop = new AbortController();
  const { signal } = stop;
  const sent =
    kind === 'mutation'
      ? mutate(plaza, operation, asked, signal).then((data) => ({ data, errors: [] }))
      : plaza.query(operation, variables, { signal });
  sent.then(({ data, errors }) => {
    give(data, errors);
    observer.complete();
  }, fail);
  return () => stop.abort();
}

function mutate(
  plaza: PlazaClient,
  operation: string,
  { variables, durable = false, key }: Asked,
  signal: AbortSignal,
): Promise<unknown> {
  if (!durable) return plaza.mutate(operation, variables, { signal, key });
  if (durable === true) return plaza.enqueue(operation, variables, { key });
  if ('entry' in durable) return plaza.queue.outcomeOf(durable.entry);
  return plaza.enqueue(operation, variables, { ...durable, key });
}
