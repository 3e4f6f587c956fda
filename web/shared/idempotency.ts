/** The header that names a mutation: plaza does what comes under one key once, however often it is sent. */
export const IDEMPOTENCY_KEY = 'Idempotency-Key';

/** A key for one action of a person. `crypto.randomUUID` would be missing on a page that did not come over TLS or from this machine. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
