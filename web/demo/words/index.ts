import { useSyncExternalStore } from 'react';
import { en } from './en';
import type { enPages } from './en-pages';

/** What every language must have: a message that is missing, or takes something else, does not compile. */
export type Words = typeof en;

/** The same of what only pages other than home say. */
export type PageWords = typeof enPages;

/** The words of the language that is shown; read while rendering, all is rendered anew with another one. */
export let w: Words = en;
/** Those of pages and parts that come late: their loaders see to it that these are there before. */
export let more: PageWords;

interface Language {
  /** As its speakers call it; without one it is for tests and not offered. */
  name?: string;
  /** How numbers and dates are written where the browser prefers nothing closer. */
  locale: string;
  direction: 'ltr' | 'rtl';
  load: () => Promise<Words>;
  loadMore: () => Promise<PageWords>;
}

const pseudo = async () => (await import('./pseudo')).pseudoOf(en);
const english = async () => (await import('./en-pages')).enPages;
const pseudoMore = async () => (await import('./pseudo')).pseudoOf(await english());

const ENGLISH: Language = {
  name: 'English',
  locale: 'en',
  direction: 'ltr',
  load: async () => en,
  loadMore: english,
};

/** English comes with the page, the others when they are chosen. */
export const LANGUAGES: Readonly<Record<string, Language>> = {
  en: ENGLISH,
  de: {
    name: 'Deutsch',
    locale: 'de',
    direction: 'ltr',
    load: async () => (await import('./de')).de,
    loadMore: async () => (await import('./de-pages')).dePages,
  },
  'en-XA': { locale: 'en', direction: 'ltr', load: pseudo, loadMore: pseudoMore },
  'ar-XB': { locale: 'en', direction: 'rtl', load: pseudo, loadMore: pseudoMore },
};

const KEY = 'plaza.language';
let shown = 'en';
const listeners = new Set<() => void>();

/** The language that was chosen here, or else the first of the browser's that there is. */
export function chosenLanguage(): string {
  try {
    const chosen = localStorage.getItem(KEY);
    if (chosen !== null && chosen in LANGUAGES) return chosen;
  } catch {
    // Storage is closed: the browser's language it is.
  }
  const languages = navigator.languages.map((each) => each.split('-')[0] ?? '');
  return languages.find((each) => each in LANGUAGES) ?? 'en';
}

/** How numbers and dates are written: as the browser's own variant of the language has it. */
export function locale(): string {
  const language = LANGUAGES[shown]?.locale ?? 'en';
  return navigator.languages.find((each) => each.split('-')[0] === language) ?? language;
}

let asked = false;

/** Sees to it that the words of what comes late are there. */
export async function withMore<Loaded>(load: () => Promise<Loaded>): Promise<Loaded> {
  asked = true;
  const language = shown;
  const [loaded, words] = await Promise.all([load(), (LANGUAGES[language] ?? ENGLISH).loadMore()]);
  // Another language was chosen meanwhile: it has brought its own.
  if (language === shown) more = words;
  return loaded;
}

/** Shows a language; the one before stays where it cannot be had. */
export async function show(language: string): Promise<void> {
  const { load, loadMore, locale, direction } = LANGUAGES[language] ?? ENGLISH;
  // Both or none: a page of two languages is none.
  const [words, pageWords] = await Promise.all([load(), asked ? loadMore() : null]);
  w = words;
  if (pageWords) more = pageWords;
  shown = language;
  document.documentElement.lang = locale;
  document.documentElement.dir = direction;
  for (const listener of listeners) listener();
}

export async function chooseLanguage(language: string): Promise<void> {
  await show(language);
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // It holds until the page is closed.
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLanguage(): string {
  return useSyncExternalStore(subscribe, () => shown);
}
