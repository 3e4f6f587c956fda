import { useRef, type ChangeEvent } from 'react';
import { MOST_IMAGES, type Attachments } from '../api/attached';
import { KINDS } from '../api/images';
import type { AttachmentsProps } from './attachment-rows';
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
        className="chip"
        disabled={attachments.list.length >= MOST_IMAGES}
        onClick={() => input.current?.click()}
      >
        <Icon name="image" /> {w.addImages}
      </button>
    </>
  );
}

const AttachmentRows = late<AttachmentsProps>(
  async () => (await import('./attachment-rows')).AttachmentRows,
  // What is not sent yet would keep the post from being sent, and nobody could remove it.
  ({ attachments }) =>
    attachments.list.filter(({ id }) => !id).forEach(({ key }) => attachments.remove(key)),
);

export function AttachmentList(props: AttachmentsProps) {
  return props.attachments.list.length > 0 ? <AttachmentRows {...props} /> : null;
}
