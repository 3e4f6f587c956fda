import {
  useId,
  useState,
  type ClipboardEvent,
  type DragEvent,
  type SubmitEvent,
  type KeyboardEvent,
} from 'react';
import { undescribed, useAttachments, type Attachments } from '../api/attached';
import { useDraft } from '../api/draft';
import { useAction } from '../api/use-action';
import type { Note } from '../api/waiting';
import { graphql } from '../../shared/graphql';
import { useLive } from '../live/live';
import { toast } from '../live/toasts';
import { useMe, usePlaza } from '../me';
import { navigate, paths } from '../router';
import { AttachButton, AttachmentList } from './attachments';
import { EmojiButton } from './emoji-button';
import { lengthOf, number } from './format';
import { CommentFragment } from './comment';
import { PostCardFragment } from './post-card';
import { CompletedTextarea } from './completion';
import { Avatar } from './small';
import { ProblemLine } from './states';
import { w } from '../words';

const WritePost = graphql(
  `
    mutation WritePost($text: String!, $productId: ID, $quotedPostId: ID, $imageIds: [ID!]!) {
      postCreate(input: { text: $text, productId: $productId, quotedPostId: $quotedPostId, imageIds: $imageIds }) { post { id ...PostCard } userErrors { code message path } }
    }
  `,
  [PostCardFragment],
);

const Describe = graphql(`
  mutation DescribeImage($imageId: ID!, $altText: String!) {
    imageUpdate(input: { imageId: $imageId, altText: $altText }) { image { id altText } userErrors { code message path } }
  }
`);

const WriteComment = graphql(
  `
    mutation WriteComment($input: CommentCreateInput!) {
      commentCreate(input: $input) {
        comment { id ...CommentParts }
        userErrors { code message path }
      }
    }
  `,
  [CommentFragment],
);

interface FieldProps {
  label: string;
  placeholder: string;
  limit: number;
  send: string;
  busy: boolean;
  /** Where it is written: each place has a draft of its own. */
  place: string;
  /** What is sent with it, and whether that can be. */
  attachments?: Attachments;
  /** The draft goes, and its images, when plaza has taken them, see `reportOutcomes`. */
  submit: (text: string, note: Note) => Promise<unknown>;
}

/** A text with its count; Ctrl+Enter sends it. What was written stays until plaza has it, and what is typed meanwhile stays after it. */
function WritingField({
  label,
  placeholder,
  limit,
  send,
  busy,
  place,
  attachments,
  submit,
}: FieldProps) {
  const { key, text, set } = useDraft(place);
  const id = useId();
  const length = lengthOf(text);
  const over = length > limit;
  const unready = attachments?.ready === false;
  const bare = undescribed(attachments?.list ?? []) > 0;

  const trySend = async () => {
    if (busy || unready || length === 0 || over) return;
    await submit(text, { place: key, text });
  };
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault();
    void trySend();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void trySend();
  };

  // Images come by the clipboard and by hand, too.
  const [dragged, setDragged] = useState(false);
  const imagesOf = (data: DataTransfer | null) =>
    [...(data?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
  const onPaste = (event: ClipboardEvent) => {
    const images = imagesOf(event.clipboardData);
    if (!attachments || images.length === 0) return;
    event.preventDefault();
    attachments.add(images);
  };
  const drops = {
    onDragOver: (event: DragEvent) => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      setDragged(true);
    },
    onDragLeave: () => setDragged(false),
    onDrop: (event: DragEvent) => {
      setDragged(false);
      const images = imagesOf(event.dataTransfer);
      if (images.length === 0) return;
      event.preventDefault();
      attachments?.add(images);
    },
  };

  return (
    <form
      className={dragged ? 'writing writing-dragged' : 'writing'}
      onSubmit={onSubmit}
      {...(attachments && drops)}
    >
      <label htmlFor={id} className="hidden">
        {label}
      </label>
      <CompletedTextarea
        id={id}
        text={text}
        set={set}
        placeholder={placeholder}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        invalid={over}
        describedBy={`${id}-count`}
      />
      {attachments && <AttachmentList attachments={attachments} noteId={`${id}-note`} />}
      <div className="writing-foot">
        <div className="attach">
          {attachments && <AttachButton attachments={attachments} />}
          <EmojiButton fieldId={id} />
        </div>
        <span
          id={`${id}-count`}
          className={over ? 'count count-over' : 'count'}
          aria-live={limit - length < 50 ? 'polite' : 'off'}
        >
          {number(length)} / {number(limit)}
        </span>
        <button
          type="submit"
          className="button"
          disabled={busy || unready || length === 0 || over}
          aria-describedby={bare ? `${id}-note` : undefined}
        >
          {busy ? w.sending : send}
        </button>
      </div>
    </form>
  );
}

interface PostComposerProps {
  productId?: string | null;
  quotedPostId?: string | null;
  placeholder?: string;
  written?: () => void;
}

export function PostComposer({
  productId = null,
  quotedPostId = null,
  placeholder = w.whatIsGoingOn,
  written,
}: PostComposerProps) {
  const me = useMe();
  const { run, busy, problem } = useAction(WritePost, { durable: true });
  const describe = useAction(Describe);
  const place = `post:${quotedPostId ?? productId ?? ''}`;
  const attachments = useAttachments(usePlaza(), place);
  const { picture } = useLive();
  if (!me) return null;
  const submit = async (text: string, note: Note) => {
    const imageIds: string[] = [];
    for (const { id, alt } of attachments.list) {
      if (!id) return;
      if (alt.trim() && !(await describe.run({ imageId: id, altText: alt }))) return;
      imageIds.push(id);
    }
    const post = (await run({ text, productId, quotedPostId, imageIds }, note))?.postCreate?.post;
    if (!post) return;
    toast('done', w.posted, { label: w.view, run: () => navigate(paths.post(post.id)) });
    written?.();
  };
  return (
    <section className="composer composer-post" aria-label={w.writePost}>
      <Avatar handle={me.handle} name={me.displayName} image={picture} />
      <div>
        <WritingField
          label={w.yourPost}
          placeholder={placeholder}
          limit={2_000}
          send={w.post}
          place={place}
          busy={busy || describe.busy}
          attachments={attachments}
          submit={submit}
        />
        <ProblemLine problem={problem ?? describe.problem} />
      </div>
    </section>
  );
}

/** A comment on a post, or an answer to one. */
export function CommentComposer({
  postId,
  inReplyToId = null,
  written,
}: {
  postId: string;
  inReplyToId?: string | null;
  written?: () => void;
}) {
  const me = useMe();
  const { run, busy, problem } = useAction(WriteComment, { durable: true });
  if (!me) return null;
  const submit = async (text: string, note: Note) => {
    if (await run({ input: { postId, text, inReplyToId } }, note)) written?.();
  };
  const [label, placeholder] = inReplyToId
    ? [w.yourReply, w.sayToComment]
    : [w.yourComment, w.sayToPost];
  return (
    <section className="composer" aria-label={inReplyToId ? w.writeReply : w.writeComment}>
      <Avatar handle={me.handle} name={me.displayName} size="s" />
      <div>
        <WritingField
          label={label}
          placeholder={placeholder}
          limit={1_000}
          send={inReplyToId ? w.reply : w.comment}
          place={`comment:${inReplyToId ?? postId}`}
          busy={busy}
          submit={submit}
        />
        <ProblemLine problem={problem} />
      </div>
    </section>
  );
}
