// Light, dark, or as the system has it; this browser remembers the choice.
export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const kept = localStorage.getItem('theme');
let current = $state<Theme>(themes.find((each) => each === kept) ?? 'system');

function show() {
  if (current === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = current;
}
show();

export const theme = () => current;
export function setTheme(next: Theme) {
  current = next;
  localStorage.setItem('theme', next);
  show();
}
export const isDark = () =>
  current === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : current === 'dark';
