import js from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'shared/graphql-env.d.ts'] },
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, reactHooks.configs.flat['recommended-latest']],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // An arrow that only calls something needs no braces, and `return f();` is how a function ends early.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `writeFragment<Data>` is looser than the type that is found without it.
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      // A function that must return a promise is async, so that what it throws is a rejection too.
      '@typescript-eslint/require-await': 'off',
      // For the React Compiler, which is not used here.
      'react-hooks/refs': 'off',
      'react-hooks/set-state-in-effect': 'off',
    },
  },
  {
    files: ['build/**', 'tests/**', '*.js'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
  { files: ['public/theme.js'], languageOptions: { globals: globals.browser } },
  { files: ['public/sw.js'], languageOptions: { globals: globals.serviceworker } },
);
