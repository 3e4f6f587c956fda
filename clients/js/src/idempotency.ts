/** The header that names a mutation: sent again under the same key it has its effect once. */
export const IDEMPOTENCY_KEY = 'Idempotency-Key';

/** A key for one mutation: 32 hexadecimal digits. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
