import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { loadLanguage } from './lib/i18n.svelte';

await loadLanguage(navigator.languages);
const target = document.getElementById('app');
if (target) mount(App, { target });

// The only script address that is ever made of a text.
interface Policies {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): string };
}
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  const { trustedTypes } = globalThis as { trustedTypes?: Policies };
  const policy = trustedTypes?.createPolicy('strata', { createScriptURL: () => '/sw.js' });
  void navigator.serviceWorker.register(policy?.createScriptURL('') ?? '/sw.js').catch(() => undefined);
}
