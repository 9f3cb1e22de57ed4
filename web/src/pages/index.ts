// The pages, a folder each. A page is a component that takes what stands behind its name in the
// address; a new one is its folder and its line here.
import type { Component } from 'svelte';
import type { Key } from '../lib/i18n.svelte';

interface Page {
  path: string;
  title: Key;
  load: () => Promise<{ default: Component<{ argument: string }> }>;
}

export const pages: Page[] = [
  { path: 'chat', title: 'chat', load: () => import('./chat/Chat.svelte') },
  { path: 'playground', title: 'playground', load: () => import('./playground/Playground.svelte') },
  { path: 'compare', title: 'compare', load: () => import('./compare/Compare.svelte') },
  { path: 'models', title: 'models', load: () => import('./models/Models.svelte') },
  { path: 'server', title: 'server', load: () => import('./server/Server.svelte') },
];
