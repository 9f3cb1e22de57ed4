// Diagrams are drawn in a document without an origin that reaches nothing (its policy: the server's
// site.cpp); it is given the source and tells its height.
import { t } from './i18n.svelte';
import { isDark } from './theme.svelte';

const maxHeight = 1200; // pixels
const maxSource = 50_000; // characters

export function diagram(
  listing: HTMLElement, pre: HTMLElement, source: string, offer: (run: () => void) => void,
) {
  if (source.length > maxSource) return;
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.title = t('diagram');
  frame.src = '/frame/diagram.html';
  const told = (event: MessageEvent) => {
    if (!frame.isConnected) return removeEventListener('message', told);
    if (event.source !== frame.contentWindow) return;
    const { ready, height, error } = (event.data ?? {}) as Record<string, unknown>;
    // It has no origin that could be named.
    if (ready) frame.contentWindow?.postMessage({ source, dark: isDark() }, '*');
    if (typeof height === 'number' && height >= 0) {
      frame.style.height = `${Math.min(Math.ceil(height), maxHeight)}px`;
      frame.dataset['drawn'] = 'true';
      pre.hidden = true;
    }
    if (error) end();
  };
  const end = () => {
    removeEventListener('message', told);
    frame.remove();
    pre.hidden = false;
  };
  addEventListener('message', told);
  listing.append(frame);
  offer(() => (pre.hidden = !pre.hidden));
}
