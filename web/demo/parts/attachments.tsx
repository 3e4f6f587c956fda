import { useEffect, useRef, useState, type ChangeEvent } from 'react';
import { KINDS } from '../api/images';
import { usePlaza } from '../me';
import { Icon } from './icon';
import { late } from './late';
import { w } from '../words';

/** Most images of one post. */
const MOST = 4;

export interface Attached {
  key: number;
  /** The file itself, shown at once. */
  preview: string;
  name: string;
  /** How much of it was sent, 0 to 1. */
  sent: number;
  alt: string;
  /** The image's id, once it can be shown. */
  id?: string;
  /** Why it cannot be shown. */
  problem?: string;
}

export interface Attachments {
  list: Attached[];
  /** Whether all that are there can be shown. */
  ready: boolean;
  add: (files: Iterable<File>) => void;
  remove: (key: number) => void;
  describe: (key: number, alt: string) => void;
  /** The post has them: begin anew. */
  clear: () => void;
}

/** Images on their way to a post: each is sent as soon as it is chosen. */
export function useAttachments(): Attachments {
  const plaza = usePlaza();
  const [list, setList] = useState<Attached[]>([]);
  const next = useRef(0);
  const running = useRef(new Map<number, AbortController>());
  const change = (key: number, what: Partial<Attached>) =>
    setList((list) => list.map((each) => (each.key === key ? { ...each, ...what } : each)));
  const forget = ({ key, preview }: Attached) => {
    running.current.get(key)?.abort();
    running.current.delete(key);
    URL.revokeObjectURL(preview);
  };
  useEffect(() => {
    const uploads = running.current;
    return () => uploads.forEach((upload) => upload.abort());
  }, []);

  const send = async (key: number, file: File) => {
    const controller = new AbortController();
    running.current.set(key, controller);
    try {
      // Most visits attach nothing.
      const { uploadImage } = await import('../api/upload').catch(() => {
        throw new Error(w.imageNotSent);
      });
      const id = await uploadImage(
        plaza,
        file,
        'POST',
        (sent) => change(key, { sent }),
        controller.signal,
      );
      change(key, { id, sent: 1 });
    } catch (error) {
      if (!controller.signal.aborted)
        change(key, {
          problem: error instanceof Error ? error.message : w.imageNotSent,
        });
    }
  };
  return {
    list,
    ready: list.every(({ id }) => id !== undefined),
    add: (files) => {
      const chosen = [...files]
        .slice(0, MOST - list.length)
        .map((file) => ({ file, key: next.current++ }));
      setList([
        ...list,
        ...chosen.map(({ file, key }) => ({
          key,
          preview: URL.createObjectURL(file),
          name: file.name,
          sent: 0,
          alt: '',
        })),
      ]);
      for (const { file, key } of chosen) void send(key, file);
    },
    remove: (key) => {
      list.filter((each) => each.key === key).forEach(forget);
      setList(list.filter((each) => each.key !== key));
    },
    describe: (key, alt) => change(key, { alt }),
    clear: () => {
      list.forEach(forget);
      setList([]);
    },
  };
}

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
        disabled={attachments.list.length >= MOST}
        onClick={() => input.current?.click()}
      >
        <Icon name="image" /> {w.addImages}
      </button>
    </>
  );
}

const AttachmentRows = late<{ attachments: Attachments }>(
  async () => (await import('./attachment-rows')).AttachmentRows,
  ({ attachments }) => attachments.clear(),
);

export function AttachmentList({ attachments }: { attachments: Attachments }) {
  return attachments.list.length > 0 ? <AttachmentRows attachments={attachments} /> : null;
}
