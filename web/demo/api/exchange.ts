import {
  RequestFailed,
  type AddOptions,
  type GraphQLFailure,
  type PlazaClient,
  type Queued,
} from '@plaza/client';
import {
  makeErrorResult,
  makeResult,
  type Exchange,
  type ExecutionResult,
  type Operation,
} from 'urql';
import { filter, make, mergeMap, pipe, takeUntil, type Source } from 'wonka';

declare module 'urql' {
  interface OperationContext {
    /** Names a mutation that is sent again by hand: the key of the first time. */
    idempotencyKey?: string;
    /** Puts a mutation into the durable queue, or waits for one that is in it. */
    durable?: Pick<AddOptions, 'note' | 'attempts'> | { entry: Queued };
  }
}

type Result = ReturnType<typeof makeResult>;

interface Given {
  data: unknown;
  errors?: readonly GraphQLFailure[];
}

/** urql's operations through plaza's client, which keeps the session, the queue and the socket. */
export function plazaExchange(plaza: PlazaClient): Exchange {
  return () => (operations) =>
    pipe(
      operations,
      filter(({ kind }) => kind !== 'teardown'),
      mergeMap((operation) => {
        const ends = ({ kind, key }: Operation) => kind === 'teardown' && key === operation.key;
        return pipe(resultsOf(plaza, operation), takeUntil(pipe(operations, filter(ends))));
      }),
    );
}

function resultsOf(plaza: PlazaClient, operation: Operation): Source<Result> {
  return make<Result>((observer) => {
    const { query, kind, context } = operation;
    const variables = operation.variables as Record<string, unknown>;
    const give = ({ data, errors = [] }: Given, hasNext = false) => {
      // urql takes an empty list for an error.
      const result = { data, ...(errors.length > 0 && { errors }), hasNext };
      observer.next(makeResult(operation, result as ExecutionResult));
    };
    const finish = (result: Given) => {
      give(result);
      observer.complete();
    };
    const fail = (error: unknown) => {
      // What plaza said as such; all else is an error of the network.
      const errors = error instanceof RequestFailed ? error.errors : [];
      if (errors.length > 0) give({ data: null, errors });
      else observer.next(makeErrorResult(operation, error as Error));
      observer.complete();
    };
    if (kind === 'subscription') {
      return plaza.subscribe<unknown, Record<string, unknown>>(query, variables, {
        next: (data, errors) => give({ data, errors }, true),
        error: fail,
        complete: () => observer.complete(),
      });
    }
    const stop = new AbortController();
    const { signal } = stop;
    if (kind === 'mutation') {
      const { durable, idempotencyKey: key } = context;
      const sent = async (): Promise<unknown> => {
        if (!durable) return plaza.mutate(query, variables, { signal, key });
        if ('entry' in durable) return plaza.queue.outcomeOf(durable.entry);
        return plaza.enqueue(query, variables, { ...durable, key });
      };
      sent().then((data) => finish({ data }), fail);
    } else {
      plaza.query(query, variables, { signal }).then(finish, fail);
    }
    return () => stop.abort();
  });
}
