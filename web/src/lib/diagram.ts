// A block of code that is the source of a diagram, drawn beside it.
import { framed } from './frame';
import { t } from './i18n.svelte';
import { isDark } from './theme.svelte';

const maxHeight = 1200; // pixels
const maxSource = 50_000; // characters

export function diagram(
  listing: HTMLElement, pre: HTMLElement, source: string, offer: (run: () => void) => void,
) {
  if (source.length > maxSource) return;
  const { frame, end } = framed('/frame/diagram.html', t('diagram'), { source, dark: isDark() }, ({ height, error }) => {
    if (typeof height === 'number' && height >= 0) {
      frame.style.height = `${Math.min(Math.ceil(height), maxHeight)}px`;
      frame.dataset['drawn'] = 'true';
      pre.hidden = true;
    }
    if (error) {
      end();
      pre.hidden = false;
    }
  });
  listing.append(frame);
  offer(() => (pre.hidden = !pre.hidden));
}
