import type { Client } from 'urql';

const MOST = 200;
const seen = new Map<string, string>();

/** A hashtag that came by; the newest are remembered for who begins to write one. */
export function noteHashtag(name: string): void {
  const key = name.toLowerCase();
  seen.delete(key);
  seen.set(key, name);
  const oldest = seen.keys().next().value;
  if (seen.size > MOST && oldest !== undefined) seen.delete(oldest);
}

/** Hashtags that came by and begin like this, the latest first. */
export function hashtagsLike(beginning: string, most: number): string[] {
  const key = beginning.toLowerCase();
  return [...seen]
    .filter(([name]) => name.startsWith(key) && name !== key)
    .map(([, name]) => name)
    .reverse()
    .slice(0, most);
}

let asked: Promise<boolean> | null = null;

/**
 * Notes those of the newest posts, once a visit: a page that was just opened has seen none yet.
 * Ends when they are noted, for whoever asks meanwhile too.
 */
export async function askForHashtags(client: Client): Promise<void> {
  asked ??= import('./newest-hashtags').then((module) => module.noteNewestHashtags(client));
  // Asked again with the next hashtag, where they could not be had.
  if (!(await asked.catch(() => false))) asked = null;
}
