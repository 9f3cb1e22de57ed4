import { mount } from 'svelte';
import App from './App.svelte';
import { loadLanguage } from './lib/i18n.svelte';
import { pageAt } from './pages';
import { idle, pause } from './lib/later';

// What is shown first is drawn at once, not around a hole. Not awaited while this file is read: what the
// page imports may lie in the same one, which would wait for itself.
async function start() {
  const page = pageAt(location.hash.slice(2).split('/')[0]);
  await Promise.all([loadLanguage(), page?.load().catch(() => undefined)]);
  await pause();
  const target = document.getElementById('app');
  if (target) mount(App, { target });
}
void start();

// The only script address that is ever made of a text.
interface Policies {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): string };
}
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  const { trustedTypes } = globalThis as { trustedTypes?: Policies };
  const policy = trustedTypes?.createPolicy('strata', { createScriptURL: () => '/sw.js' });
  void idle().then(() => navigator.serviceWorker.register(policy?.createScriptURL('') ?? '/sw.js')).catch(() => undefined);
}
