import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { loadLanguage } from './lib/i18n.svelte';

await loadLanguage(navigator.languages);
const target = document.getElementById('app');
if (target) mount(App, { target });
