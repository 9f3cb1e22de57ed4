// The languages that code is highlighted in: each is loaded with the first block in it.
import hljs from 'highlight.js/lib/core';
import type { LanguageFn } from 'highlight.js';

type Load = () => Promise<{ default: LanguageFn }>;
const files: Record<string, Load> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  css: () => import('highlight.js/lib/languages/css'),
  go: () => import('highlight.js/lib/languages/go'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  python: () => import('highlight.js/lib/languages/python'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
};
// What stands at fences instead.
const others: Record<string, string> = Object.fromEntries(Object.entries({
  bash: 'sh shell zsh', cpp: 'c h cc hpp c++ h++ hh hxx cxx', go: 'golang', java: 'jsp',
  javascript: 'js jsx mjs cjs', json: 'jsonc json5', python: 'py gyp ipython', rust: 'rs', typescript: 'ts tsx mts cts',
  xml: 'html xhtml rss atom xjb xsd xsl plist wsf svg', yaml: 'yml',
}).flatMap(([name, all]) => all.split(' ').map((other) => [other, name])));
// Code in these may have code in those in it, and the other way round.
const within: Record<string, string[]> = { xml: ['css', 'javascript'], javascript: ['xml', 'css'], typescript: ['xml', 'css', 'javascript'] };

async function load(name: string) {
  const file = files[name];
  if (!file || hljs.getLanguage(name)) return;
  hljs.registerLanguage(name, (await file()).default);
}
const coloured = (code: string, language: string) => hljs.highlight(code, { language, ignoreIllegals: true }).value;

// What colours code of the language that a fence names; undefined: it is none of these.
export async function highlighter(fence: string) {
  const name = others[fence.toLowerCase()] ?? fence.toLowerCase();
  if (!files[name]) return undefined;
  await Promise.all([name, ...(within[name] ?? [])].map(load));
  coloured('', name); // with a first text a language makes its patterns, which takes as long as many texts
  return (code: string) => coloured(code, name);
}
