// Messages form a tree by their parents; what is shown is the path to one leaf.
import type { Message } from './api';

export function pathTo(messages: readonly Message[], leaf: string): Message[] {
  const byId = new Map(messages.map((each) => [each.id, each]));
  const path: Message[] = [];
  for (let at = byId.get(leaf); at; at = byId.get(at.parent)) {
    path.unshift(at);
    byId.delete(at.id);
  }
  return path;
}

export function siblings(messages: readonly Message[], message: Message): Message[] {
  return messages.filter((each) => each.parent === message.parent);
}

// From a message down, always to the newest.
export function newestLeaf(messages: readonly Message[], id: string): string {
  for (let at = id; ; ) {
    const children = messages.filter((each) => each.parent === at);
    const last = children[children.length - 1];
    if (!last) return at;
    at = last.id;
  }
}
