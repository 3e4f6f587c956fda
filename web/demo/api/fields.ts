import { draftOf, useDraft } from './draft';

type Values<Name extends string> = Readonly<Record<Name, string>>;

export interface Fields<Name extends string> {
  /** What each field shows. */
  values: Values<Name>;
  /** Whether something differs from what is saved. */
  isChanged: boolean;
  set: (name: Name, value: string) => void;
  /** plaza has taken these: what was typed after them stays. */
  taken: (sent: Values<Name>) => void;
  /** Back to what is saved. */
  discard: () => void;
}

function typedIn<Name extends string>(text: string): Partial<Values<Name>> {
  try {
    return text === '' ? {} : (JSON.parse(text) as Partial<Values<Name>>);
  } catch {
    return {};
  }
}

/**
 * A form's fields as a draft: what was typed and is not saved outlives the page, a reload and the
 * end of a session. Not for passwords. A field that was emptied is one that was typed in.
 */
export function useFields<Name extends string>(place: string, saved: Values<Name>): Fields<Name> {
  const { key, text } = useDraft(place);
  const draft = draftOf(key);
  const keep = (isKept: (name: Name, value: string) => boolean, more?: Partial<Values<Name>>) => {
    // As it is now: a browser that fills in several fields does not wait for the page to follow.
    const typed = Object.entries<string | undefined>({ ...typedIn<Name>(draft.read()), ...more });
    const kept = typed.filter(
      ([name, value]) => value !== undefined && isKept(name as Name, value),
    );
    draft.write(kept.length > 0 ? JSON.stringify(Object.fromEntries(kept)) : '');
  };
  return {
    values: { ...saved, ...typedIn<Name>(text) },
    isChanged: text !== '',
    set: (name, value) =>
      keep((each, typed) => typed !== saved[each], { [name]: value } as Partial<Values<Name>>),
    taken: (sent) => keep((name, typed) => typed !== sent[name]),
    discard: () => draft.write(''),
  };
}
