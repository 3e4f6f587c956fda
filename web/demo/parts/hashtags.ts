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
