import {
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useRef,
  useState,
  type FocusEvent,
  type KeyboardEvent,
} from 'react';
import { more, w } from '../words';
import '../style/emoji.css';

export interface EmojiPickerProps {
  /** The text field that the chosen one is put into, at its caret. */
  fieldId: string;
  /** Gives the focus back, too. */
  close: () => void;
  /** The focus is elsewhere already. */
  leave: () => void;
}

/** Full rows alone: up and down stay in their column from group to group. */
const COLUMNS = 8;
const GROUPS = {
  faces: '😀 😄 😁 😅 😂 🙂 😉 😊 😍 🥰 😘 😎 🤩 🤔 🙄 😴 😢 😭 😡 😱 🥳 🤗 🤫 😇',
  gestures: '👍 👎 👏 🙌 🙏 💪 👋 ✌️ 🤝 👌 🤞 👀 🤷 🙈 💃 🕺',
  signs: '❤️ 🧡 💛 💚 💙 💜 🖤 💔 ✨ 🔥 💯 ✅ ❌ ❓ ❗ ⭐',
  nature: '🐶 🐱 🐦 🦊 🐝 🦋 🐢 🐟 🌱 🌳 🌻 🌹 🍂 🌈 ☀️ 🌧️',
  food: '🍎 🍋 🍓 🥑 🥖 🧀 🍝 🍜 🍕 🍰 🍪 🍦 ☕ 🍵 🍷 🍻',
  things: '🏠 🏪 🚲 🚆 🚢 ✈️ ⛰️ 🏖️ 🎉 🎁 🎈 🎶 🎨 📚 📷 💡 🧵 🏺 🧶 🪑 🕯️ 💌 🛒 📦',
} as const;
const NAMES = Object.keys(GROUPS) as (keyof typeof GROUPS)[];
const LISTS = NAMES.map((name) => ({ name, list: GROUPS[name].split(' ') }));
const ALL = LISTS.flatMap(({ list }) => list);

/** Puts a text where the caret is, as if it had been typed. */
function type(fieldId: string, text: string): void {
  const field = document.getElementById(fieldId);
  if (!(field instanceof HTMLTextAreaElement)) return;
  field.setRangeText(text, field.selectionStart, field.selectionEnd, 'end');
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.focus();
}

/** Emoji by groups: arrows move, Enter takes one, Escape closes. Screen readers know their names. */
export function EmojiPicker({ fieldId, close, leave }: EmojiPickerProps) {
  const place = useRef<HTMLDivElement>(null);
  // One is reached by Tab, the others from there.
  const [at, setAt] = useState(0);
  useLayoutEffect(() => place.current?.querySelector('button')?.focus(), []);
  // The button that opened it closes it by itself.
  const isOutside = (target: EventTarget | null) =>
    target instanceof Node && !place.current?.parentElement?.contains(target);
  const outside = useEffectEvent(({ target }: Event) => {
    if (isOutside(target)) leave();
  });
  useEffect(() => {
    const look = (event: Event) => outside(event);
    addEventListener('pointerdown', look);
    return () => removeEventListener('pointerdown', look);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      return close();
    }
    const forwards = getComputedStyle(event.currentTarget).direction === 'rtl' ? -1 : 1;
    const step = {
      ArrowRight: forwards,
      ArrowLeft: -forwards,
      ArrowDown: COLUMNS,
      ArrowUp: -COLUMNS,
    }[event.key];
    if (step === undefined) return undefined;
    event.preventDefault();
    return place.current?.querySelectorAll('button')[at + step]?.focus();
  };
  const onBlur = ({ relatedTarget }: FocusEvent) => {
    if (isOutside(relatedTarget)) leave();
  };
  const choose = (emoji: string) => {
    leave();
    type(fieldId, emoji);
  };
  return (
    <div
      ref={place}
      className="emoji"
      role="dialog"
      aria-label={w.emoji}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onBlur={onBlur}
    >
      {LISTS.map(({ name, list }) => (
        <div key={name} className="emoji-group" role="group" aria-label={more.emojiGroups[name]}>
          {list.map((emoji) => (
            <button
              key={emoji}
              type="button"
              tabIndex={ALL[at] === emoji ? 0 : -1}
              onFocus={() => setAt(ALL.indexOf(emoji))}
              onClick={() => choose(emoji)}
            >
              {emoji}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
