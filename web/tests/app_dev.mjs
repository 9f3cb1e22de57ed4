// What `./dev web` starts: the app as it is written, beside a running server, and changed without a reload.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { begin, done, patienceMs, say } from './harness.mjs';

const { server, browser, end } = await begin();
const web = join(import.meta.dirname, '..');
const source = process.env.STRATA_WEB ?? web; // a mutant's

test('the app as it is written asks the server, and a changed file is shown without a reload', async (context) => {
  mkdirSync(join(web, 'dist'), { recursive: true });
  const copy = mkdtempSync(join(web, 'dist/dev-')); // which may be changed, where its libraries are found
  for (const each of ['index.html', 'package.json', 'licences.mjs', 'vite.config.ts', 'src', 'public']) {
    cpSync(join(source, each), join(copy, each), { recursive: true });
  }
  const vite = spawn(process.execPath, [join(web, 'node_modules/vite/bin/vite.js'), '--port', '0'], {
    cwd: copy, env: { ...process.env, STRATA_URL: server.address, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(async () => {
    vite.kill();
    await once(vite, 'exit');
    rmSync(copy, { recursive: true, force: true });
  });
  let said = '';
  const address = await new Promise((resolve) => vite.stdout.on('data', (piece) => {
    const [found] = /http:\/\/\S+/.exec((said += piece)) ?? [];
    if (found) resolve(found);
  }));
  const view = await browser.newPage();
  view.setDefaultTimeout(patienceMs);
  const errors = [];
  view.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
  await view.goto(address);
  await view.getByRole('textbox', { name: 'Message' }).waitFor();
  await say(view, 'say it');
  await done(view);
  await view.getByRole('textbox', { name: 'Message' }).fill('half a draft');
  await view.evaluate(() => (globalThis.same = true));
  const composer = join(copy, 'src/pages/chat/Composer.svelte');
  writeFileSync(composer, readFileSync(composer, 'utf8').replace("placeholder={t('message_hint')}", 'placeholder="changed"'));
  await view.getByPlaceholder('changed').waitFor();
  assert.equal(await view.getByRole('textbox', { name: 'Message' }).inputValue(), 'half a draft');
  assert.equal(await view.evaluate(() => globalThis.same), true);
  assert.deepEqual(errors, []);
});

test.after(end);
