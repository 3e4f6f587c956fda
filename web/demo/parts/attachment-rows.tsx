import { useId } from 'react';
import type { Attached, Attachments } from './attachments';
import { more } from '../words';
import '../style/attachments.css';

/** What is attached, how far it is, and a field for its description. */
export function AttachmentRows({ attachments }: { attachments: Attachments }) {
  return (
    <ul className="attachments" aria-label={more.imagesOfPost}>
      {attachments.list.map((each) => (
        <Attachment key={each.key} attached={each} attachments={attachments} />
      ))}
    </ul>
  );
}

function Attachment({ attached, attachments }: { attached: Attached; attachments: Attachments }) {
  const { key, preview, name, sent, alt, id, problem } = attached;
  const field = useId();
  return (
    <li className="attachment">
      <img src={preview} alt={name} width="72" height="72" />
      <div>
        {problem ? (
          <p className="problem" role="alert">
            {problem}
          </p>
        ) : (
          <>
            <label htmlFor={field} className="hidden">
              {more.describeImage(name)}
            </label>
            <input
              id={field}
              value={alt}
              maxLength={500}
              placeholder={more.describeHint}
              onChange={({ target }) => attachments.describe(key, target.value)}
            />
            <p className="quiet" role="status">
              {id ? (
                more.imageReady
              ) : sent < 1 ? (
                <progress value={sent} max={1} aria-label={more.sendingImage(name)} />
              ) : (
                more.imageChecked
              )}
            </p>
          </>
        )}
      </div>
      <button
        type="button"
        className="chip"
        aria-label={more.removeImage(name)}
        onClick={() => attachments.remove(key)}
      >
        {more.remove}
      </button>
    </li>
  );
}
