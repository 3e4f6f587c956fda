import { useCallback, useRef, useState } from 'react';
import { useClient, type AnyVariables, type TypedDocumentNode } from 'urql';
import { newKey } from '../../shared/idempotency';
import type { UserError } from '../../shared/session';
import { toast } from '../live/toasts';
import { explain, isUnsettled, problemOfErrors, type Problem } from './problem';

export interface Action<Data, Variables> {
  /** The answer; null when it was refused or failed, `problem` then says why. */
  run: (variables: Variables) => Promise<Data | null>;
  busy: boolean;
  problem: Problem | null;
}

/**
 * A mutation as something a person does: when plaza did not say how it ended, doing the same again goes under the same idempotency key. `aloud` is for
 * what has no place of its own for a problem: it is said at the page's foot, where it can be tried again.
 */
export function useAction<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  { aloud = false } = {},
): Action<Data, Variables> {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const again = useRef<(variables: Variables) => Promise<Data | null>>(async () => null);
  const unsettled = useRef<{ what: string; key: string } | null>(null);

  const run = useCallback(
    async (variables: Variables) => {
      const what = JSON.stringify(variables);
      const key = unsettled.current?.what === what ? unsettled.current.key : newKey();
      setBusy(true);
      setProblem(null);
      const { data, error } = await client
        .mutation(document, variables, { idempotencyKey: key })
        .toPromise();
      setBusy(false);
      unsettled.current = isUnsettled(error) ? { what, key } : null;
      const refusals = data ? userErrors(data) : [];
      const found = error
        ? { message: explain(error), fields: {} }
        : refusals.length > 0
          ? problemOfErrors(refusals)
          : null;
      setProblem(found);
      if (found && aloud)
        toast(
          'failed',
          found.message,
          error ? { label: 'Try again', run: () => void again.current(variables) } : undefined,
        );
      return error || refusals.length > 0 || !data ? null : data;
    },
    [client, document, aloud],
  );
  again.current = run;

  return { run, busy, problem };
}

function userErrors(data: unknown): UserError[] {
  return Object.values(data as Record<string, { userErrors?: UserError[] } | null>).flatMap(
    (payload) => payload?.userErrors ?? [],
  );
}
