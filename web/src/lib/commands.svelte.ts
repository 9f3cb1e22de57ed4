// What the command menu offers: a page adds its commands while it is shown.
import { untrack } from 'svelte';
import type { IconName } from './Icon.svelte';

export interface Command {
  text: string;
  words?: string; // that find it, too
  icon: IconName;
  keys?: string; // as they are shown
  run: () => unknown;
}

class Commands {
  sources = $state.raw<(() => Command[])[]>([]);
  open = $state(false);

  // Returns what takes them away again: what an effect returns.
  add(source: () => Command[]) {
    untrack(() => (this.sources = [...this.sources, source]));
    return () => {
      this.sources = this.sources.filter((each) => each !== source);
    };
  }
  all = () => this.sources.flatMap((each) => each());
}
export const commands = new Commands();
export const modifier = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl+';
