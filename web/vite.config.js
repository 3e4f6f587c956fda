import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** A plaza that runs: what `npm run dev` and `npm run preview` talk to. */
const plaza = process.env.PLAZA_URL ?? 'http://127.0.0.1:4000';
const proxy = {
  '/graphql': { target: plaza, ws: true, changeOrigin: true },
  '/schema.graphql': { target: plaza, changeOrigin: true },
  '/media': { target: plaza, changeOrigin: true },
};

const here = (path) => new URL(path, import.meta.url).pathname;

/**
 * The client package takes its libraries from here, so that the demo carries each once. It writes
 * documents out as urql does: with the small printer.
 */
const oneOfEach = {
  name: 'one-of-each',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!/^[@\w]/.test(source) || !importer?.startsWith(here('../clients/js/'))) return null;
    const name = source === 'graphql' ? '@0no-co/graphql.web' : source;
    return this.resolve(name, here('shared/plaza.ts'), { skipSelf: true });
  },
};

export default defineConfig({
  plugins: [oneOfEach, react()],
  // Its sources: built with the demo, never older than it.
  resolve: {
    alias: {
      '@plaza/client/urql': here('../clients/js/src/adapters/urql.ts'),
      '@plaza/client': here('../clients/js/src/index.ts'),
    },
  },
  // Everything that GraphiQL needs ships with the build: its workers are modules beside it, nothing comes from a CDN.
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // All that run what the target asks for know it themselves.
    modulePreload: { polyfill: false },
    // For build/weigh.mjs, which weighs what a page loads.
    manifest: true,
    rollupOptions: { input: { demo: 'index.html', graphiql: 'graphiql.html' } },
    // Monaco alone is 2.8 MB; it is loaded by the playground only.
    chunkSizeWarningLimit: 3_000,
    reportCompressedSize: false,
  },
  server: { host: '127.0.0.1', proxy, fs: { allow: ['.', '../clients/js'] } },
  preview: { host: '127.0.0.1', proxy },
});
