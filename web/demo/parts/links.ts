/** A part of a text: an address that leads somewhere, or words. */
export type Piece = { text: string; href?: string };

const ADDRESS = /(?<![\p{L}\p{N}_@/.-])https?:\/\/[^\s<>"'`\u200b]+/giu;
const CLOSES: Record<string, string> = {
  ')': '(',
  ']': '[',
  '}': '{',
  '»': '«',
  '”': '“',
  '’': '‘',
};

/** What ends a sentence belongs to the sentence; so does a bracket that was not opened within the address. */
function withoutPunctuation(address: string): string {
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if (/[.,;:!?…*_~|]/.test(last)) continue;
    const opening = CLOSES[last];
    if (!opening) break;
    const kept = address.slice(0, end);
    if (kept.split(opening).length >= kept.split(last).length) break;
  }
  return address.slice(0, end);
}

/** Only `http` and `https`, with a host that can be one, and without a name before an `@` that looks like a host. */
function destination(address: string): string | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  const whole = /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  return whole && /[^.]\.[^.]/.test(url.hostname) ? url.href : null;
}

/** A text in pieces; together they are the text again. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutPunctuation(match[0]);
    const href = destination(address);
    if (!href) continue;
    if (match.index > at) found.push({ text: text.slice(at, match.index) });
    found.push({ text: address, href });
    at = match.index + address.length;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

/** Any number of blank lines as one. */
export function withoutGaps(text: string): string {
  return text.replace(/\n(?:[^\S\n]*\n){2,}/g, '\n\n');
}

const SHOWN = 48;

/** An address as it is shown: without what all have, and not too long. */
export function shortened(address: string): string {
  const bare = address.replace(/^https?:\/\/(www\.)?/i, '').replace(/\/$/, '');
  return bare.length > SHOWN ? `${bare.slice(0, SHOWN)}…` : bare;
}
