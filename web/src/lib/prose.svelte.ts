import { finish } from './listing';
import { Document } from './markdown';

// Shows a text as Markdown in `node`; one that grows is shown once a frame. Nodes, not HTML: what is
// put in is what the sanitiser has made.
export function prose(node: HTMLElement, text: () => string, whole: () => boolean) {
  const shown = new Document(node, finish);
  let frame = 0;
  const draw = () => {
    frame = 0;
    shown.show(text(), whole());
  };
  draw();
  $effect(() => {
    text();
    whole();
    frame ||= requestAnimationFrame(draw);
  });
  return { destroy: () => cancelAnimationFrame(frame) };
}
