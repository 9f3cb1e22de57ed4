// The pages, a folder each. A page is a component that takes what stands behind its name in the
// address; a new one is its folder and its line here.
import type { Component } from 'svelte';
import type { Key } from '../lib/i18n.svelte';
import type { IconName } from '../lib/Icon.svelte';
import { pause } from '../lib/later';
import { state as app } from '../lib/state.svelte';

interface Page {
  path: string;
  title: Key;
  icon?: IconName; // in the command menu
  load: () => Promise<{ default: Component<{ argument: string }> }>;
  first?: (argument: string) => Promise<unknown>; // asks for what it shows, while it is loaded
}

export const pageAt = (path: string | undefined) => pages.find((each) => each.path === path) ?? pages[0];

// What a page needs and then itself, in tasks of their own, between which a person is heard.
const inTasks = <T>(...all: [...(() => Promise<unknown>)[], () => Promise<T>]) => async () => {
  let last: unknown;
  for (const load of all) {
    if (last) await pause();
    last = await load();
  }
  return last as T;
};

export const pages: Page[] = [
  { path: 'chat', title: 'chat', icon: 'chat', load: inTasks(() => import('../lib/blocks'), () => import('../lib/markdown'), () => import('./chat/Chat.svelte')),
    first: async (id) => (id === 'temporary' ? undefined : app.open(id)) },
  { path: 'playground', title: 'playground', icon: 'sliders', load: () => import('./playground/Playground.svelte') },
  { path: 'compare', title: 'compare', icon: 'copy', load: () => import('./compare/Compare.svelte') },
  { path: 'models', title: 'models', icon: 'model', load: () => import('./models/Models.svelte') },
  { path: 'server', title: 'server', icon: 'server', load: () => import('./server/Server.svelte') },
];
