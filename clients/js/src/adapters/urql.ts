import {
  makeErrorResult,
  makeResult,
  type Exchange,
  type ExecutionResult,
  type Operation,
  type OperationResult,
} from '@urql/core';
import { filter, make, mergeMap, pipe, takeUntil, type Source } from 'wonka';
import type { PlazaClient } from '../client.js';
import { run, type Durable } from './operation.js';

declare module '@urql/core' {
  interface OperationContext {
    /** See {@link Durable}; for mutations. */
    durable?: Durable;
    /** Names a mutation that is sent again by hand: the key of the first time. */
    idempotencyKey?: string;
  }
}

/**
 * urql's operations through plaza's client: the last exchange, in the place of `authExchange`,
 * `retryExchange`, `fetchExchange` and `subscriptionExchange`.
 */
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

function resultsOf(plaza: PlazaClient, operation: Operation): Source<OperationResult> {
  return make<OperationResult>((observer) => {
    const { kind, query, context } = operation;
    if (kind === 'teardown') return () => {};
    const { durable, idempotencyKey: key } = context;
    const variables = operation.variables as Record<string, unknown>;
    return run(
      plaza,
      { kind, operation: query, variables, durable, key },
      {
        next: (result) => {
          const told = { ...result, hasNext: kind === 'subscription' };
          observer.next(makeResult(operation, told as ExecutionResult));
        },
        error: (error) => {
          observer.next(makeErrorResult(operation, error));
          observer.complete();
        },
        complete: () => observer.complete(),
      },
    );
  });
}
