import type { Storage as GraphiQLStorage } from '@graphiql/toolkit';

/** Fields of the API, and of their inputs, that have to do with passwords and tokens. */
const SECRET = /\b(?:logIn|signUp|sessionRefresh)\b|[pP]assword|refreshToken/;

/** GraphiQL's own names, behind which it keeps an operation. */
const QUERY = 'graphiql:query';
const VARIABLES = 'graphiql:variables';
const TABS = 'graphiql:tabState';
const HISTORY = new Map([
  ['graphiql:queries', 'queries'],
  ['graphiql:favorites', 'favorites'],
]);

interface Operation {
  query?: string | null;
  variables?: string | null;
}

function isSecret({ query, variables }: Operation): boolean {
  return SECRET.test(query ?? '') || SECRET.test(variables ?? '');
}

/** The tabs as they are, but for what is in those that are secret. */
function openTabs(text: string): string {
  const state = JSON.parse(text) as { tabs: Operation[] };
  const tabs = state.tabs.map((tab) =>
    isSecret(tab) ? { ...tab, query: null, variables: null } : tab,
  );
  return JSON.stringify({ ...state, tabs });
}

/** The entries of a history that are not secret; null when that is all of them. */
function openEntries(text: string, name: string): string | null {
  const entries = (JSON.parse(text) as Record<string, Operation[]>)[name] ?? [];
  const open = entries.filter((entry) => !isSecret(entry));
  return open.length === entries.length ? null : JSON.stringify({ [name]: open });
}

/**
 * Where GraphiQL keeps its history, its tabs and what stands in its editors, but for operations that somebody logs in with: as they are typed there
 * they have a password, and any script of this origin could read it, years later. What of them an earlier page has kept is removed.
 */
export function storageWithoutSecrets(kept: Storage): GraphiQLStorage {
  let queryIsSecret = false;

  function setItem(key: string, value: string) {
    const list = HISTORY.get(key);
    if (list !== undefined) {
      // GraphiQL shows in its history what it could store.
      if (openEntries(value, list) !== null)
        throw new Error('operations with passwords are not kept');
      return kept.setItem(key, value);
    }
    if (key === TABS) return kept.setItem(key, openTabs(value));
    if (key === QUERY) {
      queryIsSecret = SECRET.test(value);
      // Its variables, which may have been there before it.
      if (queryIsSecret) kept.removeItem(VARIABLES);
    }
    const isTyped = key === QUERY || key === VARIABLES;
    if (isTyped && (queryIsSecret || SECRET.test(value))) return kept.removeItem(key);
    return kept.setItem(key, value);
  }

  function cleanUp() {
    for (const key of [QUERY, VARIABLES, TABS, ...HISTORY.keys()]) {
      const value = kept.getItem(key);
      if (value === null) continue;
      try {
        const list = HISTORY.get(key);
        if (list === undefined) setItem(key, value);
        else kept.setItem(key, openEntries(value, list) ?? value);
      } catch {
        // Nothing that GraphiQL could read either.
        kept.removeItem(key);
      }
    }
  }

  cleanUp();
  return {
    getItem: (key) => kept.getItem(key),
    setItem,
    removeItem: (key) => {
      if (key === QUERY) queryIsSecret = false;
      kept.removeItem(key);
    },
    clear: () => {
      for (const key of Object.keys(kept)) {
        if (key.startsWith('graphiql:')) kept.removeItem(key);
      }
    },
    get length() {
      return Object.keys(kept).filter((key) => key.startsWith('graphiql:')).length;
    },
  };
}
