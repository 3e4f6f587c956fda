import type { PlazaClient } from '@plaza/client';
import { useCallback, useSyncExternalStore } from 'react';
import { draftOf, useDraftKey } from './draft';
import { w } from '../words';

/** Most images of one post. */
export const MOST_IMAGES = 4;

export interface Attached {
  key: number;
  name: string;
  alt: string;
  /** The file itself, shown at once; not there after a reload. */
  preview?: string;
  /** How much of it was sent, 0 to 1. */
  sent: number;
  /** The image's id, once it can be shown. */
  id?: string;
  /** Why it cannot be shown. */
  problem?: string;
}

/** What is kept of an image over a reload: one that plaza has. */
type Kept = Required<Pick<Attached, 'id' | 'name' | 'alt'>>;

const NONE: readonly Attached[] = [];
/** By the draft that they belong to; they outlive the field that shows them, as the text does. */
const lists = new Map<string, readonly Attached[]>();
const uploads = new Map<number, AbortController>();
const listeners = new Set<() => void>();
let next = 0;

const storeOf = (place: string) => draftOf(`${place}.images`);

function keptAt(place: string): readonly Attached[] {
  const text = storeOf(place).read();
  if (text === '') return NONE;
  try {
    return (JSON.parse(text) as Kept[]).map((kept) => ({ ...kept, key: next++, sent: 1 }));
  } catch {
    return NONE;
  }
}

function listAt(place: string): readonly Attached[] {
  const known = lists.get(place) ?? keptAt(place);
  lists.set(place, known);
  return known;
}

function write(place: string, list: readonly Attached[]): void {
  lists.set(place, list);
  const kept = list.flatMap(({ id, name, alt }): Kept[] => (id ? [{ id, name, alt }] : []));
  storeOf(place).write(kept.length > 0 ? JSON.stringify(kept) : '');
  for (const listener of listeners) listener();
}

function change(place: string, key: number, what: Partial<Attached>): void {
  write(
    place,
    listAt(place).map((each) => (each.key === key ? { ...each, ...what } : each)),
  );
}

function drop(place: string, isDropped: (attached: Attached) => boolean): void {
  const list = listAt(place);
  const dropped = list.filter(isDropped);
  if (dropped.length === 0) return;
  for (const { key, preview } of dropped) {
    uploads.get(key)?.abort();
    uploads.delete(key);
    if (preview) URL.revokeObjectURL(preview);
  }
  write(
    place,
    list.filter((each) => !dropped.includes(each)),
  );
}

/** A post has taken these: what was attached after it was sent stays. */
export function attachedSent(place: string, variables: unknown): void {
  const { imageIds } = (variables ?? {}) as { imageIds?: readonly string[] };
  if (imageIds) drop(place, ({ id }) => id !== undefined && imageIds.includes(id));
}

async function send(plaza: PlazaClient, place: string, key: number, file: File): Promise<void> {
  const controller = new AbortController();
  uploads.set(key, controller);
  try {
    // Most visits attach nothing.
    const { uploadImage } = await import('./upload').catch(() => {
      throw new Error(w.imageNotSent);
    });
    const progress = (sent: number) => change(place, key, { sent });
    const id = await uploadImage(plaza, file, 'POST', progress, controller.signal);
    change(place, key, { id, sent: 1 });
  } catch (error) {
    if (controller.signal.aborted) return;
    change(place, key, { problem: error instanceof Error ? error.message : w.imageNotSent });
  } finally {
    uploads.delete(key);
  }
}

/** How many can be shown and are not described: that is said, and keeps nobody from posting. */
export function undescribed(list: readonly Attached[]): number {
  return list.filter(({ id, alt }) => id !== undefined && alt.trim() === '').length;
}

export interface Attachments {
  list: readonly Attached[];
  /** Whether all that are there can be shown. */
  ready: boolean;
  add: (files: Iterable<File>) => void;
  remove: (key: number) => void;
  describe: (key: number, alt: string) => void;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Images on their way to a post: each is sent as soon as it is chosen, and stays with the draft. */
export function useAttachments(plaza: PlazaClient, at: string): Attachments {
  const place = useDraftKey(at);
  const list = useSyncExternalStore(
    subscribe,
    useCallback(() => listAt(place), [place]),
  );
  return {
    list,
    ready: list.every(({ id }) => id !== undefined),
    add: (files) => {
      const before = listAt(place);
      const chosen = [...files]
        .slice(0, MOST_IMAGES - before.length)
        .map((file) => ({ file, key: next++ }));
      const begun = chosen.map(({ file, key }) => {
        const preview = URL.createObjectURL(file);
        return { key, preview, name: file.name, sent: 0, alt: '' };
      });
      write(place, [...before, ...begun]);
      for (const { file, key } of chosen) void send(plaza, place, key, file);
    },
    remove: (key) => drop(place, (each) => each.key === key),
    describe: (key, alt) => change(place, key, { alt }),
  };
}
