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

// Shows a text as Markdown in `node`; one that grows is drawn some times a second.
// Nodes, not HTML: what is put in is what the sanitiser has made. Within something that the browser
// leaves out while it is far from what is seen (content-visibility), the text stands as it is until it
// comes near.
export function prose(node: HTMLElement, text: () => string, whole: () => boolean) {
  const shown = new Document(node, finish);
  const far = node.closest<HTMLElement>('[data-waits]');
  let waits = !!far && 'oncontentvisibilityautostatechange' in far && whole();
  let frame = 0, timer = 0, next = 0, gone = false;
  const draw = () => {
    frame = 0;
    const from = performance.now();
    shown.show(text(), whole());
    const to = performance.now();
    next = to + Math.max(pauseMs, share * (to - from));
  };
  const near = (event: Event) => {
    if (!waits || event.target !== far || (event as ContentVisibilityAutoStateChangeEvent).skipped) return;
    far?.removeEventListener('contentvisibilityautostatechange', near);
    come += 1;
    inTurn(() => {
      if (gone) return;
      waits = false;
      node.replaceChildren();
      draw();
    });
  };
  if (waits) node.textContent = text();
  else draw();
  far?.addEventListener('contentvisibilityautostatechange', near);
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
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      far?.removeEventListener('contentvisibilityautostatechange', near);
    },
  };
}
