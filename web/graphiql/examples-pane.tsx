import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { useEffect, useState } from 'react';
import { EXAMPLES, type Example } from './examples';
import type { Ask } from './subjects';

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path
        d="M4 5h16M4 12h10M4 19h7M17 14l4 3-4 3z"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** A pane with the example queries; each opens in a tab of its own, its variables filled with things that exist. */
export function examplesPlugin(ask: Ask): GraphiQLPlugin {
  return { title: 'Examples', icon: Icon, content: () => <ExamplesPane ask={ask} /> };
}

function ExamplesPane({ ask }: { ask: Ask }) {
  const actions = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);

  // The editors come later than this pane: what is chosen before they are there is opened then.
  const [chosen, setChosen] = useState<Example | null>(null);

  useEffect(() => {
    if (!chosen || !queryEditor || !variableEditor || !headerEditor) return;
    async function open(example: Example) {
      const variables = await example.variables?.(ask);
      // Only tabs with something in them are kept: an untouched one is used again.
      if (queryEditor?.getValue().trim()) actions.addTab();
      queryEditor?.setValue(example.query);
      variableEditor?.setValue(variables ? JSON.stringify(variables, null, 2) : '');
      headerEditor?.setValue(example.headers ? JSON.stringify(example.headers, null, 2) : '');
      queryEditor?.focus();
    }
    setChosen(null);
    void open(chosen);
  }, [chosen, queryEditor, variableEditor, headerEditor, actions, ask]);

  return (
    <section aria-label="Examples" className="examples">
      <h2 className="graphiql-doc-explorer-title">Examples</h2>
      <ul>
        {EXAMPLES.map((example) => (
          <li key={example.title}>
            <button type="button" onClick={() => setChosen(example)}>
              <strong>{example.title}</strong>
              {example.needsLogIn && <span className="examples-badge">log in</span>}
              <span>{example.about}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
