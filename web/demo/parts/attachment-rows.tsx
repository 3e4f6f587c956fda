import { useId } from 'react';
import type { Attached, Attachments } from './attachments';
import '../style/attachments.css';

/** What is attached, how far it is, and a field for its description. */
export function AttachmentRows({ attachments }: { attachments: Attachments }) {
  return (
    <ul className="attachments" aria-label="Images of this post">
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
              Describe {name}
            </label>
            <input
              id={field}
              value={alt}
              maxLength={500}
              placeholder="Describe it for those who do not see it"
              onChange={({ target }) => attachments.describe(key, target.value)}
            />
            <p className="quiet" role="status">
              {id ? (
                'Ready'
              ) : sent < 1 ? (
                <progress value={sent} max={1} aria-label={`Sending ${name}`} />
              ) : (
                'plaza looks at it…'
              )}
            </p>
          </>
        )}
      </div>
      <button
        type="button"
        className="chip"
        aria-label={`Remove ${name}`}
        onClick={() => attachments.remove(key)}
      >
        Remove
      </button>
    </li>
  );
}
