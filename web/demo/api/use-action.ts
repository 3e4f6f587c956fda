import { newKey } from '@plaza/client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient, type AnyVariables, type TypedDocumentNode } from 'urql';
import { toast } from '../live/toasts';
import { usePlaza } from '../me';
import { explain, isUnsettled, problemOfErrors, userErrorsOf, type Problem } from './problem';
import { noteBegun, waitingAt, type Note } from './waiting';
import { w } from '../words';

export interface Action<Data, Variables> {
  /** The answer; null when it was refused or failed, `problem` then says why. */
  run: (variables: Variables, note?: Note) => Promise<Data | null>;
  busy: boolean;
  problem: Problem | null;
}

interface Options {
  /** For what has no place of its own for a problem: it is said at the page's foot, where it can be tried again. */
  aloud?: boolean;
  /** Kept until plaza has answered, over a reload and a lost network, and done in the order in which it was asked for. */
  durable?: boolean;
}

/** While plaza can be reached the person decides after so many attempts; while it cannot, the action waits. */
const ATTEMPTS = 4;

/**
 * A mutation as something a person does: when plaza did not say how it ended, doing the same again goes under the same idempotency key.
 */
export function useAction<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  { aloud = false, durable = false }: Options = {},
): Action<Data, Variables> {
  const client = useClient();
  const plaza = usePlaza();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const again = useRef<(variables: Variables, note?: Note) => Promise<Data | null>>(
    async () => null,
  );
  const unsettled = useRef<{ what: string; key: string } | null>(null);
  const waitsFor = useRef<string | null>(null);

  useEffect(() => {
    if (!durable) return undefined;
    return plaza.queue.onDelayed(({ key }) => {
      if (key !== waitsFor.current) return;
      setProblem({ message: w.kept, fields: {} });
      if (aloud) toast('failed', w.kept, { label: w.tryAgain, run: () => plaza.queue.wake() });
    });
  }, [plaza, durable, aloud]);

  const run = useCallback(
    async (variables: Variables, note?: Note) => {
      const what = JSON.stringify(variables);
      const entry = note && waitingAt(plaza, note.place, variables);
      const unknown = unsettled.current?.what === what ? unsettled.current.key : undefined;
      const key = entry?.key ?? unknown ?? newKey();
      const kept = durable && (entry ? { entry } : { note, attempts: ATTEMPTS });
      if (durable) noteBegun(key);
      waitsFor.current = key;
      setBusy(true);
      setProblem(null);
      const { data, error } = await client
        .mutation(document, variables, { idempotencyKey: key, ...(kept && { durable: kept }) })
        .toPromise();
      setBusy(false);
      unsettled.current = isUnsettled(error) ? { what, key } : null;
      const refusals = userErrorsOf(data);
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
          error ? { label: w.tryAgain, run: () => void again.current(variables, note) } : undefined,
        );
      return error || refusals.length > 0 || !data ? null : data;
    },
    [client, plaza, document, aloud, durable],
  );
  again.current = run;

  return { run, busy, problem };
}
