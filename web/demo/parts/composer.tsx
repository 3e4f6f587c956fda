import { useId, useState, type FormEvent, type KeyboardEvent } from 'react';
import { useQuery } from 'urql';
import { useAction } from '../api/use-action';
import { graphql } from '../../shared/graphql';
import { useMe } from '../me';
import { AttachButton, AttachmentList, useAttachments, type Attachments } from './attachments';
import { lengthOf } from './format';
import { CommentFragment } from './comment';
import { PostCardFragment } from './post-card';
import { Avatar } from './small';
import { ProblemLine } from './states';

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

const OwnPicture = graphql(`query OwnPicture { viewer { user { id avatar { id url(size: SMALL) } } } }`);

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
  /** What is sent with it, and whether that can be. */
  attachments?: Attachments;
  /** True when it was taken. */
  submit: (text: string) => Promise<boolean>;
}

/** A text with its count; Ctrl+Enter sends it. What was written stays until plaza has it. */
function WritingField({ label, placeholder, limit, send, busy, attachments, submit }: FieldProps) {
  const [text, setText] = useState('');
  const id = useId();
  const length = lengthOf(text);
  const over = length > limit;
  const unready = attachments?.ready === false;

  const trySend = async () => {
    if (busy || unready || length === 0 || over) return;
    if (await submit(text)) setText('');
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    void trySend();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void trySend();
  };

  return (
    <form className="writing" onSubmit={onSubmit}>
      <label htmlFor={id} className="hidden">
        {label}
      </label>
      <textarea id={id} rows={2} value={text} placeholder={placeholder} onChange={(event) => setText(event.target.value)} onKeyDown={onKeyDown} aria-invalid={over} aria-describedby={`${id}-count`} />
      {attachments && <AttachmentList attachments={attachments} />}
      <div className="writing-foot">
        {attachments && <AttachButton attachments={attachments} />}
        <span id={`${id}-count`} className={over ? 'count count-over' : 'count'} aria-live={limit - length < 50 ? 'polite' : 'off'}>
          {length.toLocaleString()} / {limit.toLocaleString()}
        </span>
        <button type="submit" className="button" disabled={busy || unready || length === 0 || over}>
          {send}
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

export function PostComposer({ productId = null, quotedPostId = null, placeholder = 'What is going on?', written }: PostComposerProps) {
  const me = useMe();
  const { run, busy, problem } = useAction(WritePost);
  const describe = useAction(Describe);
  const attachments = useAttachments();
  const [{ data: own }] = useQuery({ query: OwnPicture, pause: !me });
  if (!me) return null;
  const submit = async (text: string) => {
    const imageIds: string[] = [];
    for (const { id, alt } of attachments.list) {
      if (!id) return false;
      if (alt.trim() && !(await describe.run({ imageId: id, altText: alt }))) return false;
      imageIds.push(id);
    }
    const done = (await run({ text, productId, quotedPostId, imageIds })) !== null;
    if (done) attachments.clear();
    if (done) written?.();
    return done;
  };
  return (
    <section className="composer" aria-label="Write a post">
      <Avatar handle={me.handle} name={me.displayName} image={own?.viewer?.user?.avatar} />
      <div>
        <WritingField label="Your post" placeholder={placeholder} limit={2_000} send="Post" busy={busy || describe.busy} attachments={attachments} submit={submit} />
        <ProblemLine problem={problem ?? describe.problem} />
      </div>
    </section>
  );
}

/** A comment on a post, or an answer to one. */
export function CommentComposer({ postId, inReplyToId = null, written }: { postId: string; inReplyToId?: string | null; written?: () => void }) {
  const me = useMe();
  const { run, busy, problem } = useAction(WriteComment);
  if (!me) return null;
  const submit = async (text: string) => {
    const done = (await run({ input: { postId, text, inReplyToId } })) !== null;
    if (done) written?.();
    return done;
  };
  const [label, placeholder] = inReplyToId ? ['Your reply', 'Say something to this comment'] : ['Your comment', 'Say something to this'];
  return (
    <section className="composer" aria-label={inReplyToId ? 'Write a reply' : 'Write a comment'}>
      <Avatar handle={me.handle} name={me.displayName} size="s" />
      <div>
        <WritingField label={label} placeholder={placeholder} limit={1_000} send={inReplyToId ? 'Reply' : 'Comment'} busy={busy} submit={submit} />
        <ProblemLine problem={problem} />
      </div>
    </section>
  );
}
