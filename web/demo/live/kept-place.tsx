import { useEffect, useEffectEvent } from 'react';
import type { Pages } from '../api/use-pages';
import type { Place } from './place';

export interface KeptPlaceProps {
  place: Place;
  pages: Pages<unknown, unknown>;
  done: () => void;
}

/** Who was further down than so many posts begins at the top again: each page is a request. */
const DEEPEST = 160;
const MOVES = ['wheel', 'touchmove', 'keydown', 'pointerdown'];

/** From now on the browser knows the way back to where one was on a page. */
function letBrowserRestore(): void {
  history.scrollRestoration = 'auto';
}

/** Leads the reader of a list back to where they were; who goes somewhere meanwhile is left alone. */
export function KeptPlace({ place, pages, done }: KeptPlaceProps) {
  const { edges, fetching, hasMore, loadMore, loadingMore, moreError } = pages;
  const length = edges?.length ?? 0;
  const end = useEffectEvent(done);
  useEffect(() => {
    const left = () => end();
    for (const move of MOVES) addEventListener(move, left, { passive: true });
    return () => {
      for (const move of MOVES) removeEventListener(move, left);
      // Not before the page is loaded: until then it would go to its own place.
      if (document.readyState === 'complete') letBrowserRestore();
      else addEventListener('load', () => setTimeout(letBrowserRestore), { once: true });
    };
  }, []);
  const go = useEffectEvent(() => {
    const row = document.querySelector(`[data-place="${CSS.escape(place.id)}"]`);
    if (row) scrollBy({ top: row.getBoundingClientRect().top - place.top, behavior: 'instant' });
    else if (hasMore && !moreError && length < DEEPEST) return loadMore();
    end();
  });
  useEffect(() => {
    if (!fetching && !loadingMore) go();
  }, [length, fetching, loadingMore]);
  return null;
}
