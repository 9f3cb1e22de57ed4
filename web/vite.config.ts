import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig, type Plugin } from 'vite';
// @ts-expect-error: a script without types
import { notices } from './licences.mjs';

// `./dev web` names the server that answers while the pages are worked on.
// It answers no page of another origin: what is asked here is asked as by its own.
const target = process.env.STRATA_URL ?? 'http://127.0.0.1:11434';
const server = { target, changeOrigin: true, headers: { origin: target } };

// The library that draws diagrams, as it is: one classic script, for the document without an origin.
const mermaid = (): Plugin => ({
  name: 'mermaid',
  generateBundle() {
    this.emitFile({
      type: 'asset',
      fileName: 'frame/mermaid.js',
      source: readFileSync(new URL('node_modules/mermaid/dist/mermaid.min.js', import.meta.url)),
    });
  },
});

// What is bundled is of others: their licences are checked, and written beside it.
const licences = (): Plugin => ({
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((each) =>
      each.type === 'chunk' ? Object.keys(each.modules) : []);
    this.emitFile({ type: 'asset', fileName: 'assets/licences.txt', source: notices(import.meta.dirname, modules) });
  },
});

// Every browser that runs this app reads woff2.
const woff2Only = (): Plugin => ({
  name: 'woff2-only',
  enforce: 'pre',
  transform: (code, id) =>
    id.includes('katex.min.css')
      ? code.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("[a-z]+"\)/g, '')
      : undefined,
});

// The first screen is a few files, each read in a task of its own: what asks the server, the frame, what
// reads Markdown, what makes it safe, the chat.
const firstFiles = [
  { name: 'first', test: /(preload-helper|\/src\/lib\/(ahead|later)\.ts)/, priority: 5 },
  { name: 'blocks', test: /\/src\/lib\/blocks\.ts$/, priority: 4 },
  { name: 'app', test: /\/src\/app\.ts$/, priority: 2 },
  { name: 'markdown', test: /\/src\/lib\/markdown\.ts$/, priority: 3 },
  { name: 'chat', test: /\/pages\/chat\/Chat\.svelte$/, priority: 1 },
];

// The page names every script of the first screen: they are asked for at once, not one behind another.
const firstScreen = (): Plugin => ({
  name: 'first-screen',
  transformIndexHtml: {
    order: 'post',
    handler(_, { bundle = {} }) {
      const needed = new Set<string>();
      const need = (name: string) => {
        const chunk = bundle[name];
        if (chunk?.type !== 'chunk' || needed.has(name)) return;
        needed.add(name);
        chunk.imports.forEach(need);
      };
      for (const each of Object.values(bundle)) {
        if (each.type === 'chunk' && (each.isEntry || firstFiles.some((file) => each.name === file.name))) need(each.fileName);
      }
      return [...needed].map((name) => ({ tag: 'link', injectTo: 'head',
        attrs: { rel: 'modulepreload', crossorigin: true, href: `/${name}` } }));
    },
  },
});

export default defineConfig({
  plugins: [woff2Only(), svelte(), tailwindcss(), mermaid(), licences(), firstScreen()],
  // The policy allows no data: address, and a preload helper would be a script more.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: false, outDir: 'dist/site',
    rolldownOptions: { checks: { pluginTimings: false }, output: { codeSplitting: { groups: firstFiles } } } },
  server: { proxy: { '/api': server, '/v1': server, '/metrics': server, '/frame/mermaid.js': server } },
});
