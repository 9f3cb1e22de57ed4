import { t } from './i18n.svelte';

// Browsers have a clipboard for pages only where these came over TLS or from this machine; elsewhere
// what a field has selected can still be copied. Behind an open dialog no field can be selected.
export async function copyText(text: string) {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    // not here, or not allowed
  }
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.className = 'sr-only';
  field.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!copied) throw new Error(t('not_copied'));
}
