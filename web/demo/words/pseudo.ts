const [FROM, TO] = ['aceginorstuyAEIOU', 'áçéğíñóřšťúýÁÉÍÓÚ'];

/** Longer by a third, as other languages are, and in brackets: what lies outside of them is no message. */
function pseudo(text: string): string {
  const letters = text.replace(/[a-z]/gi, (letter) => {
    const at = FROM.indexOf(letter);
    return at < 0 ? letter : (TO[at] ?? letter);
  });
  return `⟦${letters}${'·'.repeat(Math.ceil(text.length / 3))}⟧`;
}

function made(value: unknown): unknown {
  if (typeof value === 'string') return pseudo(value);
  if (typeof value === 'function')
    return (...given: unknown[]) => made((value as (...given: unknown[]) => unknown)(...given));
  return Object.fromEntries(
    Object.entries(value as object).map(([name, each]) => [name, made(each)]),
  );
}

/** A language that nobody speaks, made of another one: it shows texts that are not in the catalogue, and layouts that are too tight. */
export function pseudoOf<Catalogue>(words: Catalogue): Catalogue {
  return made(words) as Catalogue;
}
