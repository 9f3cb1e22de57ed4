// What becomes of a block of code that is whole: its language and buttons over it, colours, a diagram
// where it is the source of one, and a page or picture where somebody wants to see it.
import { copyText } from './clipboard';
import { diagram } from './diagram';
import { t } from './i18n.svelte';
import { idle } from './later';
import { clean } from './markdown';
import { typeset } from './math';

export const maxColoured = 100_000; // characters: beyond, colours would hold up the page

async function colour(code: HTMLElement, language: string) {
  if ((code.textContent?.length ?? 0) > maxColoured) return;
  await idle();
  const { highlighter } = await import('./languages');
  const highlight = await highlighter(language);
  if (!highlight) return;
  await idle();
  code.replaceChildren(clean(highlight(code.textContent ?? '')));
}

export function button(text: string, run: (self: HTMLButtonElement) => void) {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'quiet-button';
  made.textContent = text;
  made.onclick = () => run(made);
  return made;
}

const pages = ['html', 'svg'];

// Nothing of it is there before somebody asks for it.
function preview(listing: HTMLElement, pre: HTMLElement, source: string) {
  let end: (() => void) | undefined;
  const toggle = button(t('preview'), async (self) => {
    const { page } = await import('./page');
    if (end) end();
    end = end ? undefined : page(listing, source);
    pre.hidden = !!end;
    self.setAttribute('aria-pressed', String(!!end));
  });
  toggle.setAttribute('aria-pressed', 'false');
  return toggle;
}

function dress(pre: HTMLElement) {
  const code = pre.querySelector('code');
  if (!code) return;
  const language = /^language-([\w+#.-]{1,40})/.exec(code.className)?.[1] ?? '';
  const source = code.textContent ?? '';
  const listing = document.createElement('div');
  listing.className = 'listing';
  const head = document.createElement('header');
  const name = document.createElement('span');
  name.textContent = language || t('text');
  const buttons = document.createElement('span');
  buttons.append(button(t('copy'), (self) => {
    void copyText(source).then(() => t('copied'), () => t('not_copied')).then((text) => (self.textContent = text));
  }));
  head.append(name, buttons);
  pre.replaceWith(listing);
  listing.append(head, pre);
  if (language === 'mermaid') diagram(listing, pre, source, (run) => buttons.prepend(button(t('source'), run)));
  else if (language) void colour(code, language);
  if (pages.includes(language)) buttons.prepend(preview(listing, pre, source));
}

export function finish(block: HTMLElement) {
  for (const pre of block.querySelectorAll('pre')) dress(pre);
  void typeset(block);
}
