// Texts by key; English is there from the start, another language is loaded.
import en from '../messages/en.json';

export type Key = keyof typeof en;
type Texts = Record<Key, string>;

const files: Record<string, () => Promise<{ default: Texts }>> = {
  fr: () => import('../messages/fr.json'),
  pt: () => import('../messages/pt-BR.json'),
  hi: () => import('../messages/hi.json'),
  es: () => import('../messages/es.json'),
  de: () => import('../messages/de.json'),
};
let texts: Texts = en;

export async function loadLanguage(wanted: readonly string[]) {
  for (const tag of wanted) {
    const language = tag.split('-')[0] ?? 'en';
    const load = files[language];
    if (!load && language !== 'en') continue;
    if (load) texts = (await load()).default;
    document.documentElement.lang = tag;
    return;
  }
}

// What stands in braces is replaced: t('of', { used: 3 }).
export const t = (key: Key, values: Record<string, string | number> = {}) =>
  texts[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
export const language = () => document.documentElement.lang || 'en';
export const bytes = (n: number) => {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)} GB`;
  return n >= 1e6 ? `${Math.round(n / 1e6)} MB` : `${Math.round(n / 1e3)} kB`;
};
export const number = (n: number, digits = 0) =>
  n.toLocaleString(language(), { maximumFractionDigits: digits });
