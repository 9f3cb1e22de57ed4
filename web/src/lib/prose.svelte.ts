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

// What flies by is not drawn: a list that is moved by more than it shows, twice and more within a moment,
// is read when it rests. (2,000 messages: 55 to 59 pictures a second in place of 49 to 52.)
const restMs = 100;
let flungAt = -Infinity;
let moved: { list?: Element; to: number; far: boolean } = { to: 0, far: false };
document.addEventListener('scroll', ({ target: list }) => {
  if (!(list instanceof Element)) return;
  const to = list.scrollTop;
  const far = list === moved.list && Math.abs(to - moved.to) > list.clientHeight;
  if (far && moved.far) flungAt = performance.now();
  moved = { list, to, far };
}, { capture: true, passive: true });

// What stands within something that the browser leaves out while it is far from what is seen
// (content-visibility) waits until that comes near. The browser tells of each once, whoever stands in
// it by then: it is heard for all of them.
const near = new WeakSet<EventTarget>();
const waiting = new WeakMap<EventTarget, Set<() => void>>();
const knows = 'oncontentvisibilityautostatechange' in document;
document.addEventListener('contentvisibilityautostatechange', (event) => {
  const { target, skipped } = event as ContentVisibilityAutoStateChangeEvent;
  if (!target || skipped) return void (target && near.delete(target));
  near.add(target);
  const all = waiting.get(target);
  waiting.delete(target);
  all?.forEach((what) => drawInTurn(target as Element, what));
}, true);
function drawInTurn(part: Element, what: () => void) {
  come += 1;
  const rest = flungAt + restMs - performance.now();
  if (rest <= 0) inTurn(what);
  else setTimeout(() => (near.has(part) ? drawInTurn(part, what) : wait(part, what)), rest);
}
function wait(part: Element, what: () => void) {
  const all = waiting.get(part) ?? new Set();
  waiting.set(part, all.add(what));
}
const whenNear = (part: Element, what: () => void) => (near.has(part) ? drawInTurn : wait)(part, what);

// Shows a text as Markdown in `node`; one that grows is drawn some times a second.
// Nodes, not HTML: what is put in is what the sanitiser has made. A text that is whole stands as it is
// until its part of the page is near.
export function prose(node: HTMLElement, text: () => string, whole: () => boolean) {
  let shown = new Document(node, finish);
  const part = knows && whole() ? node.closest('[data-waits]') : null;
  let waits = !!part;
  let frame = 0, timer = 0, next = 0, gone = false;
  const draw = () => {
    frame = 0;
    const from = performance.now();
    try {
      shown.show(text(), whole());
    } catch { // nested deeper than the library reads: it is text
      node.textContent = text();
      shown = new Document(node, finish);
    }
    const to = performance.now();
    next = to + Math.max(pauseMs, share * (to - from));
  };
  if (waits) node.textContent = text();
  else draw();
  const begin = () => {
    if (gone) return;
    waits = false;
    node.replaceChildren();
    draw();
  };
  if (part) whenNear(part, begin);
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
      if (part) waiting.get(part)?.delete(begin);
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    },
  };
}
