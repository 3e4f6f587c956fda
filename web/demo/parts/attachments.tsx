import { useRef, type ChangeEvent } from 'react';
import { MOST_IMAGES, type Attachments } from '../api/attached';
import { KINDS } from '../api/images';
import { Icon } from './icon';
import { late } from './late';
import { w } from '../words';

export function AttachButton({ attachments }: { attachments: Attachments }) {
  const input = useRef<HTMLInputElement>(null);
  const choose = ({ target }: ChangeEvent<HTMLInputElement>) => {
    attachments.add(target.files ?? []);
    // The same file may be chosen again after it was removed.
    target.value = '';
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        accept={KINDS}
        multiple
        hidden
        aria-label={w.images}
        onChange={choose}
      />
      <button
        type="button"
        className="chip attach"
        disabled={attachments.list.length >= MOST_IMAGES}
        onClick={() => input.current?.click()}
      >
        <Icon name="image" /> {w.addImages}
      </button>
    </>
  );
}

const AttachmentRows = late<{ attachments: Attachments }>(
  async () => (await import('./attachment-rows')).AttachmentRows,
  // What is not sent yet would keep the post from being sent, and nobody could remove it.
  ({ attachments }) =>
    attachments.list.filter(({ id }) => !id).forEach(({ key }) => attachments.remove(key)),
);

export function AttachmentList({ attachments }: { attachments: Attachments }) {
  return attachments.list.length > 0 ? <AttachmentRows attachments={attachments} /> : null;
}
