import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './page.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import type { Fetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import type { GraphQLSchema } from 'graphql';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createPlaza } from '../shared/plaza';
import { EditorTheme } from './editor-theme';
import { examplesPlugin } from './examples-pane';
import { createFetcher } from './fetcher';
import { HistoryNames } from './history-names';
import { LogInBar } from './log-in-bar';
import { publishedSchema } from './schema';
import { storageWithoutSecrets } from './storage';
import type { Ask } from './subjects';

const plaza = createPlaza('plaza.graphiql');
const fetcher: Fetcher = createFetcher(plaza);

const ask: Ask = async <Data,>(query: string) => {
  const answer = (await Promise.resolve(fetcher({ query })).catch(() => null)) as {
    data?: Data;
  } | null;
  return answer?.data ?? null;
};

const examples = examplesPlugin(ask);
const explorer = explorerPlugin();
const published = publishedSchema();
const storage = storageWithoutSecrets(localStorage);

const WELCOME = `# plaza's API.
# Examples are in the pane on the left;
# log in above for what needs a viewer
# (seeded: alice, plaza-demo-1).

query Newest {
  products(first: 3) {
    nodes { title stock price { amount currency } seller { handle } }
  }
}
`;

function Playground() {
  // Null, while it is on its way: GraphiQL does not introspect. Undefined: it does.
  const [schema, setSchema] = useState<GraphQLSchema | null | undefined>(null);
  useEffect(() => void published.then(setSchema), []);
  return (
    <>
      <LogInBar session={plaza.session} />
      <main className="playground">
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          {...(schema !== undefined && { schema })}
          plugins={[examples, explorer, HISTORY_PLUGIN]}
          visiblePlugin={examples}
          defaultQuery={WELCOME}
        >
          <EditorTheme />
          <HistoryNames />
        </GraphiQL>
      </main>
    </>
  );
}

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <Playground />
  </StrictMode>,
);
