import { useEffect, type ReactNode } from 'react';
import { setTitle } from '../title';

/** A page's title, where the browser and the reader look for it. */
export function Page({ title, hideTitle = false, children }: { title: string; hideTitle?: boolean; children: ReactNode }) {
  useEffect(() => {
    setTitle(title);
  }, [title]);
  return (
    <>
      <h1 className={hideTitle ? 'hidden' : 'page-title'}>{title}</h1>
      {children}
    </>
  );
}
