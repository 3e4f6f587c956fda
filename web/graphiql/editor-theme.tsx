import { useGraphiQL, useGraphiQLActions, useMonaco } from '@graphiql/react';
import { useEffect } from 'react';

/** The colours of GraphiQL's own themes, with this page's accent, and no letter too faint to read. */
function theme(base: 'vs' | 'vs-dark', colours: Record<Colour, string>) {
  const { accent, tint, ground, field, keyword, number, comment, argument, lines } = colours;
  return {
    base,
    inherit: true,
    rules: [
      { token: 'argument.identifier.gql', foreground: argument },
      { token: 'comment', foreground: comment },
      { token: 'keyword', foreground: keyword },
      { token: 'number', foreground: number },
    ],
    colors: {
      'editor.background': '#ffffff00',
      'scrollbar.shadow': '#ffffff00',
      'editor.wordHighlightBackground': tint,
      'editor.wordHighlightStrongBackground': tint,
      'editor.wordHighlightTextBackground': tint,
      'editorLineNumber.foreground': lines,
      'editorLineNumber.dimmedForeground': lines,
      'textLink.foreground': accent,
      'textLink.activeForeground': accent,
      'editorLink.activeForeground': accent,
      'editorHoverWidget.background': ground,
      'editorWidget.background': ground,
      'editorWidget.resizeBorder': accent,
      'editorSuggestWidget.background': ground,
      'editorSuggestWidget.selectedBackground': tint,
      'editorSuggestWidget.selectedForeground': accent,
      'list.hoverBackground': tint,
      'list.highlightForeground': accent,
      'list.focusHighlightForeground': accent,
      'menu.background': ground,
      'menu.selectionBackground': tint,
      'menu.selectionForeground': accent,
      'quickInput.background': ground,
      'quickInputList.focusBackground': tint,
      'pickerGroup.foreground': accent,
      'input.background': field,
      'inputOption.hoverBackground': tint,
      'toolbar.hoverBackground': tint,
      focusBorder: accent,
    },
  };
}
type Colour =
  'accent' | 'tint' | 'ground' | 'field' | 'keyword' | 'number' | 'comment' | 'argument' | 'lines';

/** By the names of GraphiQL's, in place of which they stand. */
const THEMES = {
  'graphiql-LIGHT': theme('vs', {
    accent: '#0e5f52',
    tint: '#0e5f5219',
    ground: '#ffffff',
    field: '#3b4b6811',
    keyword: '#0000ff',
    number: '#07714a',
    comment: '#007400',
    argument: '#5b58c4',
    lines: '#237893',
  }),
  'graphiql-DARK': theme('vs-dark', {
    accent: '#6fc7b4',
    tint: '#6fc7b419',
    ground: '#212a3b',
    field: '#b7c2d711',
    keyword: '#7ab8ee',
    number: '#b5cea8',
    comment: '#8bb574',
    argument: '#a9a5ff',
    lines: '#a3a59c',
  }),
};

/**
 * The editors' colours. Once the system turns dark or light, so do they: GraphiQL asks it when it starts alone, while its styles follow it, and light's
 * letters stood on dark's ground.
 */
export function EditorTheme() {
  const monaco = useMonaco((state) => state.monaco);
  const chosen = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    for (const [name, data] of Object.entries(THEMES)) monaco?.editor.defineTheme(name, data);
  }, [monaco]);
  useEffect(() => {
    if (chosen) return undefined;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => setTheme(null);
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [chosen, setTheme]);
  return null;
}
