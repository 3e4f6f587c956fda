import { dismiss, useToasts } from '../live/toasts';
import { Icon } from './icon';
import { w } from '../words';

/** The lines at the page's foot; failures are read aloud at once, the rest when there is time. */
export function Toasts() {
  const toasts = useToasts();
  return (
    <section className="toasts" aria-label={w.messages} aria-live="polite">
      {toasts.map(({ key, kind, text, action }) => (
        <div
          key={key}
          className={`toast toast-${kind}`}
          role={kind === 'failed' ? 'alert' : undefined}
        >
          <p>{text}</p>
          {action && (
            <button
              type="button"
              className="toast-action"
              onClick={() => {
                dismiss(key);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <button
            type="button"
            className="toast-close"
            aria-label={w.dismiss}
            onClick={() => dismiss(key)}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </section>
  );
}
