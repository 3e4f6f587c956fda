import { useEffect, type ReactNode } from 'react';

/** A page's title, where the browser and the reader look for it. */
export function Page({ title, hideTitle = false, children }: { title: string; hideTitle?: boolean; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · plaza`;
  }, [title]);
  return (
    <>
      <h1 className={hideTitle ? 'hidden' : 'page-title'}>{title}</h1>
      {children}
    </>
  );
}
