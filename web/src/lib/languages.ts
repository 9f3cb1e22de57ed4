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
const others: Record<string, string> = {
  sh: 'bash', shell: 'bash', zsh: 'bash', c: 'cpp', h: 'cpp', cc: 'cpp', hpp: 'cpp', 'c++': 'cpp', golang: 'go',
  js: 'javascript', jsx: 'javascript', mjs: 'javascript', cjs: 'javascript', jsonc: 'json', json5: 'json',
  py: 'python', rs: 'rust', ts: 'typescript', tsx: 'typescript', html: 'xml', xhtml: 'xml', svg: 'xml', yml: 'yaml',
};
const within: Record<string, string[]> = { xml: ['css', 'javascript'] };

async function load(name: string) {
  const file = files[name];
  if (!file || hljs.getLanguage(name)) return;
  hljs.registerLanguage(name, (await file()).default);
}

// What colours code of the language that a fence names; undefined: it is none of these.
export async function highlighter(fence: string) {
  const name = others[fence.toLowerCase()] ?? fence.toLowerCase();
  if (!files[name]) return undefined;
  await Promise.all([name, ...(within[name] ?? [])].map(load));
  return (code: string) => hljs.highlight(code, { language: name, ignoreIllegals: true }).value;
}
