// A text that comes in pieces, at every length: its blocks are those of the text read at once.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { skip } from './harness.mjs';

const vite = await import('vite').catch(() => skip('the packages of web/ are not here'));
const root = process.env.STRATA_WEB ?? join(import.meta.dirname, '..');
const { module } = await vite.runnerImport(join(root, 'src/lib/blocks.ts'), { root, configFile: false, logLevel: 'error' });
const { Blocks } = module;
const blocksOf = (text) => new Blocks().read(text, true).tokens;

// What a page would hold after each piece, and how much of the text was read for it.
function grow(text, step) {
  const blocks = new Blocks();
  let held = [], read = 0;
  for (let end = step; end < text.length + step; end += step) {
    const piece = text.slice(0, end);
    const { from, tokens } = blocks.read(piece, false);
    held = [...held.slice(0, from), ...tokens];
    read += tokens.reduce((sum, each) => sum + each.raw.length, 0);
    assert.deepEqual(held, blocksOf(piece), JSON.stringify(piece));
  }
  return { blocks, held, read };
}

const texts = {
  'lists that go on behind a blank line': 'one\n\n1. a\n\n2. b\n\n   more\n\n10. c\n\nend\n\n- x\n\n- y\n\n* z\n\n-\n\n- w\n',
  'headings and rules': '# one\n\ntwo\n===\n\n## three\n---\n\n***\nfour\n#five\n# six\n\n\n\nseven\n',
  'code': 'a\n\n```js\nconst a = 1;\n\n\nb\n```\n\n    four\n\n    spaces\n\nend\n~~~\nopen\n\n\nmore',
  'a fence that is none': 'word\n```x`y\n\nafter\n\n````md\n```\n\n```\n````\n\nend',
  'tables and quotes': 'a\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n> one\n>\n> two\n\n> three\nlazy\n\nend',
  'links that are defined behind': 'see [a] and [b]\n\nmore [a]\n\n[a]: https://a.example/x\n\nafter [b]\n\n[b]: https://b.example\n\nend [a]',
  'formulas': 'so $a$ is\n\n$$\nx\n\n+ y\n$$\n\nthen \\[ z\n\n\\]\n\nand $$b$$ end\n\nmore\n\nwords',
  'raw HTML': '<div>\na\n\nb</div>\n\n<!-- x\n\ny -->\n\n<script>\n\n1\n</script>\n\nend\n',
  'other ends of lines': 'a\r\n\r\nb\r\n\r\n- c\r\n\r\nd\re\r\rf',
  'blank lines with spaces': 'a\n  \n \t\nb\n \nc\n\n   d\n\n\te\n\n\tf\n',
  'nothing but marks': '#\n\n-\n\n>\n\n`\n\n*\n\n1.\n\n|\n\n[\n\n',
};
for (const [name, text] of Object.entries(texts)) {
  test(`as at once: ${name}`, () => {
    for (const step of [1, 3, 7]) grow(text, step);
  });
}

test('as at once: everything behind everything', () => {
  const all = Object.values(texts).filter((each) => !each.includes('[a]:'));
  for (const a of all) for (const b of all) grow(`${a}\n\n${b}`, 5);
});

test('a long text is not read from its beginning again', () => {
  const text = 'A paragraph with **words** and `code`.\n\n'.repeat(300);
  const { read } = grow(text, 40);
  assert.ok(read < 4 * text.length, `${read} characters were read of ${text.length}`);
});

test('a formula that is never closed does not hold up the text, and the whole is read as it is', () => {
  const text = `a\n\n$$ open\n\n${'word word word\n\n'.repeat(600)}`;
  const blocks = new Blocks();
  let last = 0;
  for (let end = 100; end < text.length + 100; end += 100) {
    last = blocks.read(text.slice(0, end), false).tokens.reduce((sum, each) => sum + each.raw.length, 0);
  }
  assert.ok(last < 200, `${last} characters are still open`);
  const closed = `${text}$$\n`;
  assert.deepEqual(blocks.read(closed, true).tokens, blocksOf(closed));
  assert.equal(blocksOf(closed)[1].type, 'mathBlock');
});

test('a text that is another one is read anew', () => {
  const blocks = new Blocks();
  blocks.read('one\n\ntwo\n\nthree', false);
  assert.deepEqual(blocks.read('four\n\nfive', false), { from: 0, tokens: blocksOf('four\n\nfive'), anew: false });
});
