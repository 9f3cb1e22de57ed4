// A page or picture that a model wrote: shown without its scripts, and with them where somebody wants
// that who could read what they may do. All of it ends with its frame.
import { framed } from './frame';
import { t } from './i18n.svelte';
import { button } from './listing';

export function page(listing: HTMLElement, source: string) {
  let end = () => {};
  let runs = false;
  const run = button(t('run_scripts'), (self) => {
    runs = !runs;
    self.setAttribute('aria-pressed', String(runs));
    show();
  });
  run.classList.add('border', 'border-line');
  run.setAttribute('aria-pressed', 'false');
  const choice = document.createElement('p');
  choice.append(t('run_scripts_hint'), run);

  function show() {
    end();
    const shown = framed(runs ? '/frame/scripts.html' : '/frame/preview.html', t('preview'), { source }, ({ scripts }) => {
      if (scripts === true && !choice.isConnected) shown.frame.before(choice);
    });
    shown.frame.className = 'page';
    listing.append(shown.frame);
    end = shown.end;
  }
  show();
  return () => {
    end();
    choice.remove();
  };
}
