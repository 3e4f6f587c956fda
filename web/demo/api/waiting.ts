import type { PlazaClient, Queued } from '@plaza/client';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Client } from 'urql';
import { toast } from '../live/toasts';
import { usePlaza } from '../me';
import { attachedSent } from './attached';
import { draftSent } from './draft';
import { explainThrown, problemOfErrors, userErrorsOf } from './problem';
import { w } from '../words';

/** What is kept with an action that waits, to be known again after a reload. */
export interface Note {
  /** Where it was done: doing the same there again is not doing it twice. */
  place: string;
  /** The text that was written there. */
  text?: string;
}

const noteOf = ({ note }: Queued) => (note ?? null) as Note | null;

/** The action at this place that waits already; it is not done twice. */
export function waitingAt(
  plaza: PlazaClient,
  place: string,
  variables: unknown,
): Queued | undefined {
  const what = JSON.stringify(variables);
  return plaza.queue.entries.find(
    (entry) => noteOf(entry)?.place === place && JSON.stringify(entry.variables) === what,
  );
}

/** Keys of what this page has begun itself: there somebody waits for it. */
const begun = new Set<string>();

export function noteBegun(key: string): void {
  begun.add(key);
}

/** What becomes of actions that an earlier page has left is said where nobody waits for them. */
export function reportOutcomes({ queue }: PlazaClient): void {
  queue.onSettled((outcome) => {
    const { entry } = outcome;
    const refusals = 'data' in outcome ? userErrorsOf(outcome.data) : [];
    const done = 'data' in outcome && refusals.length === 0;
    const note = noteOf(entry);
    // Not by the page's field: it may have gone, and its draft is still kept.
    if (done && note?.text !== undefined) {
      draftSent(note.place, note.text);
      attachedSent(note.place, entry.variables);
    }
    if (begun.delete(entry.key)) return;
    if (done) return toast('done', w.waitingSent);
    const why =
      refusals.length > 0
        ? problemOfErrors(refusals).message
        : 'error' in outcome
          ? explainThrown(outcome.error)
          : '';
    toast('failed', w.waitingFailed(why));
  });
}

/** Shows what an earlier page has left as if it had been done now: at once, and with all that follows from it. */
export function useWaiting(api: Client): void {
  const plaza = usePlaza();
  useEffect(() => {
    for (const entry of plaza.queue.entries)
      void api
        .mutation(entry.query, entry.variables as Record<string, unknown>, { durable: { entry } })
        .toPromise();
  }, [api, plaza]);
}

/** What an action takes on a bad day; what waits longer waits for plaza. */
const PATIENCE_MS = 4_000;

/** How many actions of this person are not sent yet, from whichever tab. */
export function useWaitingCount(): number {
  const { queue } = usePlaza();
  const subscribe = useCallback((listener: () => void) => queue.onChange(listener), [queue]);
  return useSyncExternalStore(subscribe, () => queue.entries.length);
}

/** Whether an action waits longer than usual, though this device has a network. */
export function useIsDelayed(): boolean {
  const { queue } = usePlaza();
  const subscribe = useCallback((listener: () => void) => queue.onChange(listener), [queue]);
  const oldest = useSyncExternalStore(subscribe, () => queue.entries[0]?.id);
  const [delayed, setDelayed] = useState<string>();
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(oldest), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [oldest]);
  return oldest !== undefined && oldest === delayed;
}
