// Formulas in Markdown: $…$ and \(…\) in a line, $$…$$ and \[…\] in a block of their own. KaTeX is
// loaded with the first one.
import type { TokenizerAndRendererExtension, Tokens } from 'marked';

// A dollar opens before what is no space and closes behind what is none, unless a digit follows:
// "$5 and $6" are amounts.
const inline = /^(?:\$(?!\s)((?:\\[\s\S]|[^\\$\n])+?)(?<!\s)\$(?!\d)|\\\(([^\n]+?)\\\))/;
const block = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const shownInline = /^\$\$([^\n]+?)\$\$/; // $$…$$ within a line

export function math(escape: (text: string) => string): TokenizerAndRendererExtension[] {
  const extension = (
    name: string, level: 'inline' | 'block', names: string, start: RegExp, pattern: RegExp,
  ): TokenizerAndRendererExtension => ({
    name,
    level,
    start: (source) => { const at = source.search(start); return at < 0 ? undefined : at; },
    tokenizer(source): Tokens.Generic | undefined {
      const found = pattern.exec(source);
      return found ? { type: name, raw: found[0], text: (found[1] ?? found[2] ?? '').trim() } : undefined;
    },
    renderer: ({ text }) => `<span class="${names}">${escape(String(text))}</span>`,
  });
  return [
    extension('mathBlock', 'block', 'math math-block', /(?:^|\n) {0,3}(?:\$\$|\\\[)/, block),
    extension('mathShown', 'inline', 'math math-block', /\$\$/, shownInline),
    extension('mathInline', 'inline', 'math', /\$|\\\(/, inline),
  ];
}

export async function typeset(root: ParentNode) {
  const formulas = [...root.querySelectorAll<HTMLElement>('span.math')];
  if (formulas.length === 0) return;
  const { default: katex } = await import('./katex');
  for (const node of formulas) {
    const source = node.textContent ?? '';
    const place = document.createElement('span');
    try {
      // Nodes, not HTML: the page's policy allows no style that stands in a text.
      katex.render(source, place, {
        displayMode: node.classList.contains('math-block'),
        throwOnError: true,
        trust: false,
        strict: 'ignore',
        maxExpand: 500,
        maxSize: 20,
        macros: { '\\fcolorbox': '\\colorbox{#2}{#3}' }, // its frame would be such a style
      });
      node.replaceChildren(place);
      node.title = source;
    } catch {
      const code = document.createElement('code'); // as it was written
      code.textContent = source;
      node.replaceChildren(code);
    }
  }
}
