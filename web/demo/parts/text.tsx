import { Fragment, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { pieces, shortened, withoutGaps } from './links';
import { noteHashtag } from './hashtags';
import { w } from '../words';

export const EntityFragment = graphql(`
  fragment Entity on TextEntity { kind start end hashtag user { id handle } }
`);

/** Words with their addresses as links, which lead out of plaza: nothing of the reader goes along. */
function Words({ text }: { text: string }) {
  return pieces(withoutGaps(text)).map(({ text, href }, index) =>
    href ? (
      <a
        key={index}
        href={href}
        title={href}
        target="_blank"
        rel="nofollow ugc noopener noreferrer"
      >
        {shortened(text)}
      </a>
    ) : (
      <Fragment key={index}>{text}</Fragment>
    ),
  );
}

/** A text that is shortened after ten lines where many are shown, until somebody wants all of it. */
function Clamped({ whole, children }: { whole: boolean; children: ReactNode }) {
  const text = useRef<HTMLParagraphElement>(null);
  const [open, setOpen] = useState(whole);
  const [over, setOver] = useState(false);
  useLayoutEffect(() => {
    const element = text.current;
    if (!element || open) return undefined;
    const measure = () => setOver(element.scrollHeight > element.clientHeight + 1);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [open]);
  return (
    <>
      <p ref={text} className={open ? 'prose' : 'prose prose-clamped'} dir="auto">
        {children}
      </p>
      {over && !open && (
        <button type="button" className="show-more" onClick={() => setOpen(true)}>
          {w.showMore}
        </button>
      )}
    </>
  );
}

/**
 * A text as it was written; the people and hashtags that plaza found in it lead to theirs, addresses lead out. Places are in UTF-16 code units, as
 * JavaScript counts. A handle that is nobody's stays text.
 */
export function RichText({
  text,
  entities,
  whole = false,
}: {
  text: string;
  entities: readonly FragmentOf<typeof EntityFragment>[];
  whole?: boolean;
}) {
  const parts = [];
  let at = 0;
  for (const masked of entities) {
    const { start, end, hashtag, user } = readFragment(EntityFragment, masked);
    const to = user ? paths.person(user.handle) : hashtag ? paths.hashtag(hashtag) : null;
    if (!to || start < at || end > text.length) continue;
    if (hashtag) noteHashtag(text.slice(start + 1, end));
    parts.push(
      <Words key={`before-${start}`} text={text.slice(at, start)} />,
      <Link key={start} to={to}>
        {text.slice(start, end)}
      </Link>,
    );
    at = end;
  }
  return (
    <Clamped whole={whole}>
      {parts}
      <Words text={text.slice(at)} />
    </Clamped>
  );
}

/** A text without entities (a bio, a description): handles in it lead to their people. */
export function Prose({ text }: { text: string }) {
  const parts = text.split(/(?<![\w@/.])(@[a-z0-9_]{3,30})\b/gi);
  return (
    <p className="prose" dir="auto">
      {parts.map((part, index) =>
        index % 2 === 1 ? (
          <Link key={index} to={paths.person(part.slice(1).toLowerCase())}>
            {part}
          </Link>
        ) : (
          <Words key={index} text={part} />
        ),
      )}
    </p>
  );
}
