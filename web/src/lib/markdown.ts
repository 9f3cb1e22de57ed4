// Markdown → nodes. Raw HTML is text, images never load, and the last step is the sanitiser.
import DOMPurify from 'dompurify';
import { Marked, type Token } from 'marked';
import { math } from './math';

const escape = (text: string) =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  },
  extensions: math(escape),
});

export const options = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li',
    'a', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'span'],
  ALLOWED_ATTR: ['href', 'class', 'start'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true as const,
};

function nodesOf(tokens: Token[]): DocumentFragment {
  const nodes = DOMPurify.sanitize(marked.parser(tokens), options);
  for (const link of nodes.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    if (link.href) link.title = link.href;
  }
  for (const scrolls of nodes.querySelectorAll<HTMLElement>('pre, table')) scrolls.tabIndex = 0;
  return nodes;
}

// Shows a text that may grow: only the blocks that differ from what is shown are made anew.
// `finish` is called once with each block that is whole.
export class Document {
  private shown: string[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly finish: (block: HTMLElement) => void,
  ) {}

  show(text: string, whole: boolean) {
    const lexed = marked.lexer(text);
    const links = Object.keys(lexed.links).length; // a definition changes what is before it
    const tokens = lexed.filter((each) => each.type !== 'space' && each.type !== 'def');
    const keys = tokens.map((each, i) =>
      `${links} ${whole || i + 1 < tokens.length ? 'whole' : 'grows'} ${each.raw.trimEnd()}`);
    let same = 0;
    while (same < keys.length && keys[same] === this.shown[same]) same++;
    while (this.root.children.length > same) this.root.lastChild?.remove();
    for (let i = same; i < tokens.length; i++) {
      const block = document.createElement('div');
      block.dir = 'auto';
      block.append(nodesOf([tokens[i] as Token]));
      this.root.append(block);
      if (keys[i]?.startsWith(`${links} whole`)) this.finish(block);
    }
    this.shown = keys;
  }
}
