import { locale, w } from '../words';

/** An amount as people write it. Amounts are integers of the smallest unit, as text: they may not fit a number. */
export function money({ amount, currency }: { amount: string; currency: string }): string {
  const format = new Intl.NumberFormat(locale(), { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  const padded = amount.padStart(digits + 1, '0');
  const decimal = digits === 0 ? padded : `${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
  return format.format(decimal as `${number}`);
}

/** A number as people write it, every digit of it. */
export function number(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

export function times(count: number | null | undefined): string {
  if (count === null || count === undefined) return '–';
  return new Intl.NumberFormat(locale(), { notation: 'compact', maximumFractionDigits: 1 }).format(
    count,
  );
}

/** As plaza counts: characters are Unicode's, white space around the text is dropped. */
export function lengthOf(text: string): number {
  return Array.from(text.trim()).length;
}

const STEPS = [
  ['minute', 60],
  ['hour', 3_600],
  ['day', 86_400],
] as const;

/** How long ago, shortly: "now", "5m", "3h", "6d", then the date; within a sentence "5m ago". */
export function ago(time: string, now: number, told = false): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1_000);
  if (seconds < 45) return w.now;
  if (seconds > 7 * 86_400)
    return new Intl.DateTimeFormat(locale(), {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
    }).format(new Date(time));
  const [unit, size] = STEPS.findLast(([, size]) => seconds >= size) ?? STEPS[0];
  const count = Math.max(1, Math.floor(seconds / size));
  if (told) return new Intl.RelativeTimeFormat(locale(), { style: 'narrow' }).format(-count, unit);
  return new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'narrow' }).format(
    count,
  );
}

export function fullTime(time: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(
    new Date(time),
  );
}

/** A number from a text, the same at every visit. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
