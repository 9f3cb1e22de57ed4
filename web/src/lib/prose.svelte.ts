import { inTurn } from './later';
import { finish } from './listing';
import { Document } from './markdown';

// Between two drawings of a text that grows passes as long, and as many times what the last one took.
const pauseMs = 60;
const share = 4;

let come = 0; // texts that came near

// When all that is near has been drawn: a picture tells what that is, and drawing brings more near.
export async function drawn() {
  for (let before = -1; before !== come; ) {
    before = come;
    await new Promise<void>((resolve) => {
      requestAnimationFrame(() => requestAnimationFrame(() => inTurn(resolve)));
    });
  }
}

// What stands within something that the browser leaves out while it is far from what is seen
// (content-visibility) waits until that comes near.
class Part {
  private near = false;
  private readonly waiting = new Set<() => void>();

  constructor(node: HTMLElement) {
    node.addEventListener('contentvisibilityautostatechange', (event) => {
      if (event.target !== node) return;
      this.near = !(event as ContentVisibilityAutoStateChangeEvent).skipped;
      if (!this.near) return;
      for (const what of this.waiting) this.draw(what);
      this.waiting.clear();
    });
  }

  // `what` is called once; what this gives back ends the wait.
  whenNear(what: () => void) {
    if (this.near) this.draw(what);
    else this.waiting.add(what);
    return () => void this.waiting.delete(what);
  }

  private draw(what: () => void) {
    come += 1;
    inTurn(what);
  }
}
const parts = new WeakMap<HTMLElement, Part>();
function partOf(node: HTMLElement) {
  const found = node.closest<HTMLElement>('[data-waits]');
  if (!found || !('oncontentvisibilityautostatechange' in found)) return undefined;
  const part = parts.get(found) ?? new Part(found);
  parts.set(found, part);
  return part;
}

// Shows a text as Markdown in `node`; one that grows is drawn some times a second.
// Nodes, not HTML: what is put in is what the sanitiser has made. A text that is whole stands as it is
// until its part of the page is near.
export function prose(node: HTMLElement, text: () => string, whole: () => boolean) {
  const shown = new Document(node, finish);
  const part = whole() ? partOf(node) : undefined;
  let waits = !!part;
  let frame = 0, timer = 0, next = 0, gone = false;
  const draw = () => {
    frame = 0;
    const from = performance.now();
    shown.show(text(), whole());
    const to = performance.now();
    next = to + Math.max(pauseMs, share * (to - from));
  };
  if (waits) node.textContent = text();
  else draw();
  const forget = part?.whenNear(() => {
    if (gone) return;
    waits = false;
    node.replaceChildren();
    draw();
  });
  $effect(() => {
    const now = text();
    whole();
    if (waits) node.textContent = now;
    if (waits || frame || timer) return;
    const late = next - performance.now();
    if (late <= 0) frame = requestAnimationFrame(draw);
    else timer = window.setTimeout(() => { timer = 0; frame = requestAnimationFrame(draw); }, late);
  });
  return {
    destroy() {
      gone = true;
      forget?.();
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    },
  };
}
