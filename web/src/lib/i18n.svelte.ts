// Texts by key; English is there from the start, another language is loaded. The browser's languages are
// asked for one that is here, unless this browser remembers a choice.
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
// As each is called by who speaks it.
export const languages = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', hi: 'हिन्दी', 'pt-BR': 'Português (Brasil)' };
let shown = $state.raw<{ tag: string; texts: Texts }>({ tag: 'en', texts: en });

export async function loadLanguage() {
  const kept = localStorage.getItem('language');
  for (const tag of [...(kept ? [kept] : navigator.languages), 'en']) {
    const language = tag.split('-')[0] ?? 'en';
    const load = files[language];
    if (!load && language !== 'en') continue;
    const texts = load ? (await load()).default : en;
    if (localStorage.getItem('language') !== kept) return; // another one was chosen
    shown = { tag, texts };
    document.documentElement.lang = tag;
    return;
  }
}
// '': the browser's.
export function setLanguage(tag: string) {
  if (tag) localStorage.setItem('language', tag);
  else localStorage.removeItem('language');
  return loadLanguage();
}

// What stands in braces is replaced: t('of', { used: 3 }).
export const t = (key: Key, values: Record<string, string | number> = {}) =>
  shown.texts[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));

// All numbers, sizes and times as the language writes them.
export const number = (n: number, most = 0, least = 0) =>
  n.toLocaleString(shown.tag, { maximumFractionDigits: most, minimumFractionDigits: least });
export const decimal = (n: number, digits = 1) => number(n, digits, digits);
export const bytes = (n: number) => {
  const [unit, size, digits] = n >= 1e9 ? ['gigabyte', 1e9, 1] as const : n >= 1e6 ? ['megabyte', 1e6, 0] as const : ['kilobyte', 1e3, 0] as const;
  return (n / size).toLocaleString(shown.tag, { style: 'unit', unit, maximumFractionDigits: digits, minimumFractionDigits: digits });
};
export const moment = (ms: number, options?: Intl.DateTimeFormatOptions) => new Date(ms).toLocaleString(shown.tag, options);
