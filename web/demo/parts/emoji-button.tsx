import { useRef, useState } from 'react';
import type { EmojiPickerProps } from './emoji-picker';
import { Icon } from './icon';
import { late } from './late';
import { w } from '../words';

const EmojiPicker = late<EmojiPickerProps>(
  async () => (await import('./emoji-picker')).EmojiPicker,
  ({ close }) => close(),
);

/** Opens a choice of emoji, for where there is no keyboard that has them: phones' do. */
export function EmojiButton({ fieldId }: { fieldId: string }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div className="emoji-place">
      <button
        ref={button}
        type="button"
        className="chip"
        aria-label={w.emoji}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="smile" />
      </button>
      {open && <EmojiPicker fieldId={fieldId} close={close} leave={() => setOpen(false)} />}
    </div>
  );
}
