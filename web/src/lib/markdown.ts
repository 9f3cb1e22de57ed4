// Markdown → nodes. Raw HTML is text, images never load, and the last step is the sanitiser.
import DOMPurify from 'dompurify';
import { Lexer, type Token } from 'marked';
import { Blocks, marked } from './blocks';
import { inTurn } from './later';

// Said once: to read it again for each block costs more than the block.
DOMPurify.setConfig({
  ALLOWED_TAGS: ['p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li',
    'a', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'span'],
  ALLOWED_ATTR: ['href', 'class', 'start'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
});
export const clean = (html: string) => DOMPurify.sanitize(html, { RETURN_DOM_FRAGMENT: true });

function nodesOf(tokens: Token[]): DocumentFragment {
  const nodes = clean(marked.parser(tokens));
  for (const link of nodes.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    if (link.href) link.title = link.href;
  }
  for (const scrolls of nodes.querySelectorAll<HTMLElement>('pre, table')) scrolls.tabIndex = 0;
  return nodes;
}

// What reads a first text makes its patterns first: in turn, while the server is asked, not all at once when
// it has answered.
for (const rule of [...Object.values(Lexer.rules.block.gfm), ...Object.values(Lexer.rules.inline.breaks)]) {
  inTurn(() => void rule.exec('a'));
}
inTurn(() => void marked.lexer('a'));
for (const usual of ['**b** `c`', '[d](https://e) <f', '- g', '1. h', '> i', '# j', '```k\nl\n```', '| m |\n|---|\n| n |']) {
  inTurn(() => void nodesOf(marked.lexer(usual)));
}

const perPart = 16; // blocks: app.css has the browser leave out whole parts that are far away

// Shows a text that may grow: only the blocks that differ from what is shown are made anew.
// `finish` is called once with each block that is whole.
export class Document {
  private blocks = new Blocks();
  private shown: string[] = []; // the source of each block, and whether it was whole

  constructor(
    private readonly root: HTMLElement,
    private readonly finish: (block: HTMLElement) => void,
  ) {}

  show(text: string, whole: boolean) {
    const { from, tokens, anew } = this.blocks.read(text, whole);
    const isWhole = (i: number) => whole || i + 1 < tokens.length;
    const keys = tokens.map((each, i) => `${isWhole(i) ? 'whole' : 'grows'} ${each.raw.trimEnd()}`);
    let same = 0;
    if (!anew) while (same < keys.length && keys[same] === this.shown[from + same]) same++;
    const kept = anew ? 0 : from + same;
    this.cut(kept);
    for (let i = same; i < tokens.length; i++) {
      const block = document.createElement('div');
      block.dir = 'auto';
      block.append(nodesOf([tokens[i] as Token]));
      this.place().append(block);
      if (isWhole(i)) this.finish(block);
      this.shown.push(keys[i] ?? '');
    }
  }

  // Takes away all blocks but the first `kept`.
  private cut(kept: number) {
    this.shown.length = kept;
    while (this.root.childNodes.length > Math.ceil(kept / perPart)) this.root.lastChild?.remove();
    const last = this.root.lastElementChild;
    while (last && last.childNodes.length > kept - perPart * (this.root.childNodes.length - 1)) last.lastChild?.remove();
  }

  // The part that the next block goes into.
  private place(): Element {
    if (this.shown.length % perPart === 0) this.root.append(document.createElement('div'));
    return this.root.lastElementChild ?? this.root;
  }
}
