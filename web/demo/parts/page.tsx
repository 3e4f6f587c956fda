import { useEffect, type ReactNode } from 'react';
import { setTitle } from '../title';

interface PageProps {
  /** For the browser's tab. */
  title: string;
  /** For the page itself, when it is called otherwise there. */
  heading?: string;
  /** Heard, not seen. */
  hideTitle?: boolean;
  children: ReactNode;
}

/** A page's title, where the browser and the reader look for it. */
export function Page({ title, heading = title, hideTitle = false, children }: PageProps) {
  useEffect(() => {
    setTitle(title);
  }, [title]);
  return (
    <>
      <h1 className={hideTitle ? 'hidden' : 'page-title'}>{heading}</h1>
      {children}
    </>
  );
}
