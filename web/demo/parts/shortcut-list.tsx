import { useEffect, useRef } from 'react';
import { more, w } from '../words';

const KEYS = [
  ['j / k', 'nextPost'],
  ['l', 'like'],
  ['Enter', 'open'],
  ['n', 'write'],
  ['/', 'search'],
  ['g h', 'home'],
  ['g n', 'notifications'],
  ['g s', 'shop'],
  ['g o', 'orders'],
  ['g p', 'profile'],
  ['?', 'list'],
] as const;

/** The keys of `shortcuts.tsx`, in a dialog over the page. */
export function ShortcutList({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="sheet" aria-labelledby="shortcuts" onClose={close}>
      <h2 id="shortcuts">{more.shortcuts}</h2>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{more.shortcutKeys[what]}</dd>
          </div>
        ))}
      </dl>
      <button type="button" className="button button-quiet" onClick={() => dialog.current?.close()}>
        {w.close}
      </button>
    </dialog>
  );
}
