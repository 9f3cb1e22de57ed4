// Pictures of every page into docs/app/, light, dark and as wide as a phone: ./dev screenshots
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { begin, done, open, say, Server } from './harness.mjs';

const out = join(import.meta.dirname, '../../docs/app');
const script = join(import.meta.dirname, 'screenshots.json');
const { server, browser, end } = await begin({ script });
const locked = new Server(script, ['--require-key']);
await locked.start();
mkdirSync(out, { recursive: true });

async function fill() {
  const conversation = (body) => fetch(`${server.address}/api/v1/conversations`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const talk = (text) => [{ text }, { role: 'assistant', text: '…' }];
  for (const [title, rest] of [
    ['Names for a small bakery', {}], ['Unit tests for the parser', { folder: 'Work' }],
    ['Minutes of Tuesday', { folder: 'Work' }], ['Bread with rye', { folder: 'Kitchen' }],
    ['Packing list for the coast', { pinned: true }], ['What a mutex is', {}],
  ]) await conversation({ title, messages: talk(title), ...rest });
}
await fill();

const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 780 } };
const looks = [['light', 'wide'], ['dark', 'wide'], ['light', 'phone']];
let thread = '';
for (const [colorScheme, size] of looks) {
  const view = await open(browser, server, { colorScheme, viewport: sizes[size], deviceScaleFactor: size === 'phone' ? 2 : 1 });
  const shoot = async (name) => {
    await view.evaluate(() => document.fonts.ready);
    await view.waitForTimeout(400); // for what moves
    await view.screenshot({ path: join(out, `${name}-${size === 'phone' ? size : colorScheme}.png`), scale: size === 'phone' ? 'device' : 'css' });
  };
  await view.goto(`${server.address}/#/chat`);
  await view.getByText('What shall we think about?').waitFor();
  await shoot('welcome');
  if (!thread) {
    await say(view, 'How fast does a ball fall, and can you plot the first seconds in Python?');
    await done(view);
    await view.waitForFunction(() => location.hash.includes('thread_'));
    thread = view.url().split('/').at(-1);
  }
  await view.goto(`${server.address}/#/chat/${thread}`);
  await done(view);
  await view.locator('.katex').first().waitFor();
  await view.locator('iframe[data-drawn]').waitFor();
  await view.locator('[role=log]').evaluate((box) => (box.scrollTop = 0));
  await shoot('chat');
  await view.locator('[role=log]').evaluate((box) => (box.scrollTop = box.scrollHeight));
  await shoot('chat-end');
  await view.keyboard.press('Control+k');
  await view.getByRole('combobox', { name: 'Commands' }).fill('mo');
  await shoot('commands');
  await view.keyboard.press('Escape');
  for (const page of ['models', 'server']) {
    await view.goto(`${server.address}/#/${page}`);
    await view.locator('main h1').waitFor();
    await view.getByText(page === 'models' ? 'To download' : 'The last hour').waitFor();
    await shoot(page);
  }
  await view.goto(`${server.address}/#/playground`);
  await view.getByLabel('System prompt').fill('Answer in two sentences.');
  await view.getByRole('textbox', { name: 'Message 1' }).fill('What is a mutex?');
  await view.getByRole('button', { name: 'Run', exact: true }).click();
  await view.locator('[role=tabpanel][data-status=done]').waitFor();
  await shoot('playground');
  await view.goto(`${server.address}/#/compare`);
  await view.getByLabel('Question to all').fill('Explain a mutex to a child.');
  await view.getByRole('button', { name: 'Ask all' }).click();
  await view.getByRole('button', { name: 'None is better' }).waitFor();
  await shoot('compare');
  const { path } = await (await fetch(`${server.address}/api/v1/conversations/${thread}/share`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).json();
  await view.goto(server.address + path);
  await view.locator('.katex').first().waitFor();
  await shoot('shared');
  if (view.problems.length) throw new Error(view.problems.join('\n'));
  await view.goto(locked.address);
  await view.getByRole('button', { name: 'Sign in' }).waitFor();
  await shoot('sign-in');
  await view.goto(`${locked.address}/${/#\/link\/\S+/.exec(await locked.hears(/#\/link\/\S+/))[0]}`);
  await view.getByRole('button', { name: 'Make my key and sign in' }).waitFor();
  await shoot('link');
}
locked.close();
await end();
