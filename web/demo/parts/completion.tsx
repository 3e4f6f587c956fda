import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type ClipboardEventHandler,
  type KeyboardEvent,
} from 'react';
import { useClient } from 'urql';
import { graphql } from '../../shared/graphql';
import { askForHashtags, hashtagsLike } from './hashtags';
import { Avatar } from './small';
import { w } from '../words';

const Like = graphql(`
  query PeopleLike($query: String!) {
    peopleSearch(query: $query, first: 5) { edges { cursor node { id handle displayName avatar { id url(size: SMALL) } } } pageInfo { endCursor hasNextPage } }
  }
`);

/** How long nothing is typed before plaza is asked. */
const PAUSE_MS = 180;
const MOST = 5;

interface Choice {
  /** What is put in, with its @ or #. */
  text: string;
  name?: string;
  image?: { url: string | null } | null;
}

/** What is being written right before the caret: the beginning of a handle or a hashtag. */
function beginningAt(
  text: string,
  caret: number,
): { sign: string; word: string; start: number } | null {
  const found = /(?:^|[^\p{L}\p{N}_@#/])([@#])([\p{L}\p{N}_]{1,30})$/u.exec(text.slice(0, caret));
  const [, sign, word] = found ?? [];
  return sign && word ? { sign, word, start: caret - word.length - 1 } : null;
}

interface Props {
  id: string;
  text: string;
  set: (text: string) => void;
  placeholder: string;
  onKeyDown: (event: KeyboardEvent) => void;
  onPaste: ClipboardEventHandler;
  invalid: boolean;
  describedBy: string;
}

/** A field for texts that completes handles and hashtags: arrows choose, Enter or Tab takes, Escape leaves it. */
export function CompletedTextarea({
  id,
  text,
  set,
  placeholder,
  onKeyDown,
  onPaste,
  invalid,
  describedBy,
}: Props) {
  const client = useClient();
  const field = useRef<HTMLTextAreaElement>(null);
  const list = useId();
  const [begun, setBegun] = useState<ReturnType<typeof beginningAt>>(null);
  const [choices, setChoices] = useState<Choice[]>([]);
  const [chosen, choose] = useState(0);
  const caret = useRef<number | null>(null);

  const { sign, word } = begun ?? {};
  useEffect(() => {
    setChoices([]);
    choose(0);
    if (!sign || !word) return undefined;
    let wanted = true;
    if (sign === '#') {
      const propose = () =>
        wanted && setChoices(hashtagsLike(word, MOST).map((name) => ({ text: `#${name}` })));
      propose();
      void askForHashtags(client).then(propose);
      return () => {
        wanted = false;
      };
    }
    const timer = setTimeout(async () => {
      const { data } = await client.query(Like, { query: word }).toPromise();
      const people = data?.peopleSearch?.edges ?? [];
      if (wanted)
        setChoices(
          people.map(({ node }) => ({
            text: `@${node.handle}`,
            name: node.displayName,
            image: node.avatar,
          })),
        );
    }, PAUSE_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [client, sign, word]);

  // React puts the caret at the end when the text changes under it.
  useLayoutEffect(() => {
    if (caret.current === null) return;
    field.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  const look = () => {
    const { value, selectionStart, selectionEnd } = field.current ?? {
      value: '',
      selectionStart: 0,
      selectionEnd: 0,
    };
    setBegun(selectionStart === selectionEnd ? beginningAt(value, selectionStart) : null);
  };
  const take = (choice: Choice) => {
    if (!begun) return;
    const end = begun.start + 1 + begun.word.length;
    const after = text.slice(end);
    const put = /^\s/.test(after) ? choice.text : `${choice.text} `;
    caret.current = begun.start + put.length;
    setBegun(null);
    set(text.slice(0, begun.start) + put + after);
    field.current?.focus();
  };
  const open = begun !== null && choices.length > 0;
  const keys = (event: KeyboardEvent) => {
    const choice = choices[chosen];
    if (!open || !choice || event.ctrlKey || event.metaKey || event.nativeEvent.isComposing)
      return onKeyDown(event);
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp':
        choose((chosen + (event.key === 'ArrowDown' ? 1 : choices.length - 1)) % choices.length);
        break;
      case 'Enter':
      case 'Tab':
        take(choice);
        break;
      case 'Escape':
        setBegun(null);
        break;
      default:
        return onKeyDown(event);
    }
    return event.preventDefault();
  };
  return (
    <div className="completed">
      <textarea
        ref={field}
        id={id}
        rows={2}
        value={text}
        placeholder={placeholder}
        onChange={(event) => set(event.target.value)}
        onInput={look}
        onSelect={look}
        onKeyDown={keys}
        onPaste={onPaste}
        onBlur={() => setBegun(null)}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        aria-autocomplete="list"
        aria-controls={open ? list : undefined}
        aria-activedescendant={open ? `${list}-${chosen}` : undefined}
      />
      {open && (
        <ul
          id={list}
          className="completions"
          role="listbox"
          aria-label={begun.sign === '@' ? w.people : w.hashtags}
        >
          {choices.map((choice, index) => (
            <li
              key={choice.text}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === chosen}
              // Before the field loses the focus.
              onPointerDown={(event) => {
                event.preventDefault();
                take(choice);
              }}
            >
              {choice.name !== undefined && (
                <Avatar
                  handle={choice.text.slice(1)}
                  name={choice.name}
                  image={choice.image}
                  size="s"
                />
              )}
              <span>
                {choice.name !== undefined && <strong>{choice.name} </strong>}
                <span className={choice.name === undefined ? '' : 'quiet'}>{choice.text}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
      <span className="hidden" role="status">
        {open ? w.suggestionCount(choices.length) : ''}
      </span>
    </div>
  );
}
