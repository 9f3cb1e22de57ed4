import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

// `./dev web` names the server that answers while the pages are worked on.
const server = process.env.STRATA_URL ?? 'http://127.0.0.1:11434';

export default defineConfig({
  plugins: [svelte(), tailwindcss()],
  // The policy allows no data: address, and a preload helper would be a script more.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: false, outDir: 'dist/site' },
  server: { proxy: { '/api': server, '/v1': server, '/metrics': server } },
});
