import { useEffect, useEffectEvent, useId } from 'react';
import { useQuery } from 'urql';
import { graphql } from '../../shared/graphql';
import { undescribed, type Attached, type Attachments } from '../api/attached';
import { resolved } from '../api/images';
import { more } from '../words';
import '../style/attachments.css';

const Picture = graphql(`
  query Picture($id: ID!) { node(id: $id) { ... on Image { id url(size: SMALL) } } }
`);

/** In place of what is no image: browsers draw a torn one. */
const NOTHING = 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg"/>';

export interface AttachmentsProps {
  attachments: Attachments;
  /** Of the line that says which lack a description. */
  noteId: string;
}

/** What is attached, how far it is, and a field for its description. */
export function AttachmentRows({ attachments, noteId }: AttachmentsProps) {
  const bare = undescribed(attachments.list);
  return (
    <>
      <ul className="attachments" aria-label={more.imagesOfPost}>
        {attachments.list.map((each) => (
          <Attachment key={each.key} attached={each} attachments={attachments} />
        ))}
      </ul>
      {bare > 0 && (
        <p id={noteId} className="quiet attachments-note">
          {more.undescribed(bare)}
        </p>
      )}
    </>
  );
}

function Attachment({ attached, attachments }: { attached: Attached; attachments: Attachments }) {
  const { key, name, sent, alt, id, problem } = attached;
  const field = useId();
  return (
    <li className="attachment">
      <Preview attached={attached} gone={() => attachments.remove(key)} />
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
                alt.trim() === '' ? (
                  more.imageBare
                ) : (
                  more.imageReady
                )
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

/** The file, or after a reload what plaza has of it: until it forgets what no post has taken. */
function Preview({ attached, gone }: { attached: Attached; gone: () => void }) {
  const { id = '', name, preview } = attached;
  const [{ data, error }] = useQuery({
    query: Picture,
    variables: { id },
    pause: preview !== undefined,
  });
  const isGone = data?.node === null && !error;
  const tell = useEffectEvent(gone);
  useEffect(() => {
    if (isGone) tell();
  }, [isGone]);
  const url = data?.node && 'url' in data.node ? data.node.url : null;
  const src = preview ?? (url ? resolved(url) : undefined);
  return (
    <img
      src={src}
      alt={name}
      width="72"
      height="72"
      onError={({ currentTarget }) => (currentTarget.src = NOTHING)}
    />
  );
}
