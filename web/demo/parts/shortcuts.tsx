import { useEffect, useState } from 'react';
import { useMe } from '../me';
import { navigate, paths } from '../router';
import { late } from './late';

/** The list comes when it is asked for; where it cannot be had, it can be asked for again. */
const ShortcutList = late<{ close: () => void }>(
  async () => (await import('./shortcut-list')).ShortcutList,
  ({ close }) => close(),
);

/** How long a `g` waits for its second key. */
const CHORD_MS = 1_500;

function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** From the post that has the focus, or else from what is in sight. */
function moveToPost(by: 1 | -1): void {
  const posts = [...document.querySelectorAll<HTMLElement>('main article.post')];
  const at = posts.findIndex((post) => post.contains(document.activeElement));
  const inSight = posts.findIndex((post) => post.getBoundingClientRect().bottom > 80);
  const next = posts[at >= 0 ? at + by : inSight];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: 'center' });
}

const focused = () => document.activeElement?.closest<HTMLElement>('article.post');

/** Goes home, where posts are written, when there is no field here. */
function write(): void {
  const field = () => document.querySelector<HTMLElement>('.composer-post textarea');
  if (!field()) navigate('/');
  requestAnimationFrame(() => requestAnimationFrame(() => field()?.focus()));
}

/** Keys for who reads with the keyboard, and the list of them. */
export function Shortcuts() {
  const me = useMe();
  const [listed, list] = useState(false);
  useEffect(() => {
    // When the last `g` was, on the page's own clock: that begins at 0, so "never" is far before it.
    let chord = -Infinity;
    const onKeyDown = (event: KeyboardEvent) => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.isComposing ||
        isWriting(event.target) ||
        document.querySelector('dialog[open], [role=menu]')
      )
        return;
      const second = event.timeStamp - chord < CHORD_MS;
      chord = -Infinity;
      const places: Record<string, string> = {
        h: '/',
        n: '/notifications',
        s: '/shop',
        o: '/orders',
        ...(me && { p: paths.person(me.handle) }),
      };
      const place = second ? places[event.key] : undefined;
      if (place) navigate(place);
      else if (event.key === 'g') chord = event.timeStamp;
      else if (event.key === '?') list(true);
      else if (event.key === '/') navigate('/search');
      else if (event.key === 'n' && me) write();
      else if (event.key === 'j') moveToPost(1);
      else if (event.key === 'k') moveToPost(-1);
      else if (event.key === 'l')
        focused()?.querySelector<HTMLElement>('.post-foot:not([inert]) > .chip-like')?.click();
      else if (event.key === 'Enter' && document.activeElement === focused())
        focused()?.querySelector<HTMLElement>('.post-time')?.click();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [me]);
  return listed && <ShortcutList close={() => list(false)} />;
}
