// Messages form a tree by their parents; what is shown is the path to one leaf.
import type { Message } from './api';

export function pathTo(messages: readonly Message[], leaf: string): Message[] {
  const byId = new Map(messages.map((each) => [each.id, each]));
  const path: Message[] = [];
  for (let at = byId.get(leaf); at; at = byId.get(at.parent)) {
    path.push(at);
    byId.delete(at.id);
  }
  return path.reverse();
}

// By the parent that they have in common.
export function childrenOf(messages: readonly Message[]): Map<string, Message[]> {
  const children = new Map<string, Message[]>();
  for (const each of messages) {
    const beside = children.get(each.parent);
    if (beside) beside.push(each);
    else children.set(each.parent, [each]);
  }
  return children;
}

// From a message down, always to the newest.
export function newestLeaf(children: ReadonlyMap<string, readonly Message[]>, id: string): string {
  const seen = new Set<string>(); // an import may be a ring
  for (let at = id; ; ) {
    seen.add(at);
    const last = children.get(at)?.at(-1);
    if (!last || seen.has(last.id)) return at;
    at = last.id;
  }
}
