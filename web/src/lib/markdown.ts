// Markdown → nodes. Raw HTML is text, images never load, and the last step is the sanitiser.
import DOMPurify from 'dompurify';
import { Marked } from 'marked';

const escape = (text: string) =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  },
});

const options = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li',
    'a', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'span'],
  ALLOWED_ATTR: ['href', 'class', 'start'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true as const,
};

export function render(text: string): DocumentFragment {
  const nodes = DOMPurify.sanitize(marked.parse(text, { async: false }), options);
  for (const link of nodes.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    if (link.href) link.title = link.href;
  }
  for (const block of nodes.querySelectorAll('pre')) block.tabIndex = 0;
  return nodes;
}

export async function highlight(root: ParentNode) {
  const blocks = [...root.querySelectorAll<HTMLElement>('pre code[class^="language-"]')];
  if (blocks.length === 0) return;
  const { default: hljs } = await import('./languages');
  for (const block of blocks) {
    const language = block.className.slice('language-'.length);
    if (!hljs.getLanguage(language)) continue;
    const html = hljs.highlight(block.textContent ?? '', { language, ignoreIllegals: true }).value;
    block.replaceChildren(DOMPurify.sanitize(html, options));
  }
}
