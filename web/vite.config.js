import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** A plaza that runs: what `npm run dev` and `npm run preview` talk to. */
const plaza = process.env.PLAZA_URL ?? 'http://127.0.0.1:4000';
const proxy = {
  '/graphql': { target: plaza, ws: true, changeOrigin: true },
  '/media': { target: plaza, changeOrigin: true },
};

export default defineConfig({
  plugins: [react()],
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
  server: { host: '127.0.0.1', proxy },
  preview: { host: '127.0.0.1', proxy },
});
