// A Markdown text that grows, as tokens: only what more text can still change is read again.
import { Marked, type Token } from 'marked';
import { math } from './math';

const escape = (text: string) =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
  },
  extensions: math(escape),
});

const openFormula = /(?:^|\n) {0,3}(?:\$\$(?![\s\S]*?\$\$)|\\\[(?![\s\S]*?\\\]))/;
const maxFormula = 4000; // characters: longer, one that is not closed is text until the whole is read
const shown = ({ type }: Token) => type !== 'space' && type !== 'def';

// How many characters and blocks at the beginning stay as they are, whatever follows: all before the
// last blank line that ends a block. A list may go on behind one, and so may an open formula.
function settledOf(tokens: readonly Token[]) {
  const settled = { length: 0, blocks: 0 };
  const end = tokens.reduce((sum, each) => sum + each.raw.length, 0);
  let at = 0, blocks = 0;
  let before: Token | undefined; // that is shown
  for (const [i, each] of tokens.entries()) {
    if (shown(each)) {
      const previous = tokens[i - 1];
      const blank = previous?.type === 'space' || previous?.raw.endsWith('\n\n');
      if (blank && before && before.type !== 'list') Object.assign(settled, { length: at, blocks });
      if (each.type === 'paragraph' && end - at < maxFormula && openFormula.test(each.raw)) break;
      before = each;
      blocks += 1;
    }
    at += each.raw.length;
  }
  return settled;
}

export class Blocks {
  private settled = '';
  private count = 0; // of the blocks in it
  private links = '{}';

  // The blocks from number `from` on; those before it are what they were. `anew`: none is, since a
  // definition of a link changes every block that names it. Of a text that is `whole` all are read.
  read(text: string, whole: boolean): { from: number; tokens: Token[]; anew: boolean } {
    if (whole || !text.startsWith(this.settled)) this.forget();
    let lexed = marked.lexer(text.slice(this.settled.length));
    if (this.settled && Object.keys(lexed.links).length > 0) {
      this.forget();
      lexed = marked.lexer(text);
    }
    const links = JSON.stringify(lexed.links);
    const read = { from: this.count, tokens: lexed.filter(shown), anew: links !== this.links };
    this.links = links;
    if (!whole && links === '{}' && !text.includes('\r', this.settled.length)) {
      const { length, blocks } = settledOf(lexed);
      this.settled = text.slice(0, this.settled.length + length);
      this.count += blocks;
    }
    return read;
  }

  private forget() {
    this.settled = '';
    this.count = 0;
  }
}
