import { useEffect, useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from 'react';

const listeners = new Set<() => void>();
const announce = () => listeners.forEach((listener) => listener());

addEventListener('popstate', ({ state }) => {
  went = (state as { went?: number } | null)?.went ?? 0;
  announce();
});

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The path that is shown; renders again when it changes. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** How many pages of plaza's lie behind this one in the tab's history; a reload keeps it. */
let went = (history.state as { went?: number } | null)?.went ?? 0;

export function navigate(to: string, { replace = false } = {}): void {
  if (replace) history.replaceState({ went }, '', to);
  else history.pushState({ went: (went += 1) }, '', to);
  announce();
  scrollTo(0, 0);
  // Keyboards and screen readers go on from the new page's beginning, not from a link that is gone.
  document.getElementById('main')?.focus({ preventScroll: true });
}

/** The log-in, from which one comes back to here. */
export function toLogIn(): string {
  const here = location.pathname + location.search;
  return here === '/' ? '/login' : `/login?to=${encodeURIComponent(here)}`;
}

/** Back to the page of plaza's that one came from; who came from elsewhere goes up. */
export function goBack(up: string): void {
  if (went > 0) history.back();
  else navigate(up);
}

/** What a path says where the pattern has a `:name`; null when it is another path. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split('/'), path.replace(/(.)\/$/, '$1').split('/')];
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) found[part.slice(1)] = decoded(value);
    else if (part !== value) return null;
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

type LinkProps = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> & { to: string };

/** A link within the demo: opens in place, unless the click asks for more. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const here = usePath() === to;
  const open = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const plain =
      event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!plain || event.defaultPrevented) return;
    event.preventDefault();
    navigate(to);
  };
  return <a href={to} onClick={open} aria-current={here ? 'page' : undefined} {...rest} />;
}

/** Goes on elsewhere as soon as it is rendered. */
export function Redirect({ to }: { to: string }) {
  useEffect(() => navigate(to, { replace: true }), [to]);
  return null;
}

/** What a post was answered with, where that is listed. */
export type Responses = 'likes' | 'reposts' | 'quotes';

export const paths = {
  post: (id: string) => `/p/${encodeURIComponent(id)}`,
  quote: (id: string) => `/p/${encodeURIComponent(id)}/quote`,
  responses: (id: string, which: Responses) => `/p/${encodeURIComponent(id)}/${which}`,
  person: (handle: string) => `/u/${encodeURIComponent(handle)}`,
  goods: (handle: string) => `/u/${encodeURIComponent(handle)}/shop`,
  hashtag: (name: string) => `/tag/${encodeURIComponent(name)}`,
  product: (id: string) => `/shop/${encodeURIComponent(id)}`,
};
