import mark from '../shared/plaza.svg?raw';

/** What the browser's tab shows: the page's name and how much is unread, in the title and on the icon. */
let [name, unread] = ['plaza', 0];

const DOT = '<circle cx="24" cy="8" r="8" fill="#c8372d" stroke="#fffdf8" stroke-width="2"/></svg>';

function show(): void {
  document.title = unread > 0 ? `(${unread > 99 ? '99+' : unread}) ${name}` : name;
}

export function setTitle(page: string): void {
  name = `${page} · plaza`;
  show();
}

export function setUnread(count: number): void {
  if (unread === count) return;
  unread = count;
  show();
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon][type="image/svg+xml"]');
  if (icon)
    icon.href = `data:image/svg+xml,${encodeURIComponent(count > 0 ? mark.replace('</svg>', DOT) : mark)}`;
}
