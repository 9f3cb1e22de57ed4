// The app in a browser against the real server: every flow asserts what is stored and what a second
// window sees. Ends with 77, which is "skipped", where there is no browser or no built app.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const strata = process.argv[2] ?? process.env.STRATA;
const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const require = createRequire(import.meta.url);
let chromium;
try {
  ({ chromium } = require('playwright-core'));
} catch {
  // said below
}
if (!chromiumPath || !chromium) {
  console.log('skipped: Chromium or playwright-core is not here');
  process.exit(77);
}

const home = mkdtempSync(join(tmpdir(), 'strata-web-'));
const script = join(import.meta.dirname, 'script.json');
let child;
let address;

async function start() {
  child = spawn(strata, ['serve', '--port', '0', '--scripted', script], {
    env: { ...process.env, STRATA_HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  address = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += bytes;
      const found = /serving on (http:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    child.on('exit', () => reject(new Error(`the server ended: ${said}`)));
  });
}
const get = async (path) => (await fetch(address + path)).json();

await start();
const page = await (await fetch(address, { headers: { accept: 'text/html' } })).text();
if (!page.includes('/assets/')) {
  child.kill();
  console.log('skipped: the program was built without the app');
  process.exit(77);
}
const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

async function window(options = {}) {
  const context = await browser.newContext({ locale: 'en', ...options });
  const view = await context.newPage();
  view.problems = [];
  view.on('console', (line) => line.type() === 'error' && view.problems.push(line.text()));
  view.on('pageerror', (error) => view.problems.push(String(error)));
  view.on('request', (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith('blob:')) {
      view.problems.push(`asks another origin: ${request.url()}`);
    }
  });
  return view;
}
async function say(view, text) {
  await view.getByRole('textbox', { name: 'Message' }).fill(text);
  await view.keyboard.press('Enter');
}
const answers = (view) => view.locator('article[data-role=assistant]');
const done = (view) => view.locator('article[data-role=assistant][data-status=done]').last().waitFor();
const opened = async (view, id) => {
  await view.goto(`${address}/#/chat/${id}`);
  return view;
};

test('a chat is streamed, stored and seen by another window', async () => {
  const first = await window();
  await first.goto(address);
  await say(first, 'hello there');
  await done(first);
  const [thread] = (await get('/api/v1/conversations')).data;
  assert.equal(thread.title, 'hello there');
  const second = await opened(await window(), thread.id);
  await done(second);
  await say(second, 'and again');
  await first.getByText('and again').first().waitFor();
  await first.locator('article[data-status=done]').nth(3).waitFor();
  assert.equal((await get(`/api/v1/conversations/${thread.id}`)).messages.length, 4);
  assert.deepEqual([...first.problems, ...second.problems], []);
});

test('an edit makes a branch that can be walked', async () => {
  const view = await window();
  await view.goto(address);
  await say(view, 'first question');
  await done(view);
  await view.getByRole('button', { name: 'Edit' }).click();
  await view.locator('article textarea').fill('second question');
  await view.locator('article').getByRole('button', { name: 'Send' }).click();
  await view.locator('article[data-role=user]', { hasText: 'second question' }).waitFor();
  await done(view);
  await view.getByRole('button', { name: 'Previous version' }).click();
  await view.locator('article[data-role=user]', { hasText: 'first question' }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('an answer survives a reload and a stop leaves what there is', async () => {
  const view = await window();
  await view.goto(address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await view.reload();
  await view.getByText('word3').waitFor();
  await view.getByRole('button', { name: 'Stop' }).click();
  await view.getByText('This answer was cut.').waitFor();
  assert.deepEqual(view.problems, []);
});

test('what is hostile in a message neither runs nor loads', async () => {
  const view = await window();
  await view.goto(address);
  const hostile = [
    '<script>window.hit=1</script>', '<img src=x onerror="window.hit=1">',
    '![x](https://evil.example/p.png)', '[a](javascript:window.hit=1)',
    '[b](data:text/html,<script>1</script>)', '<svg onload="window.hit=1">',
    '```html\n<script>window.hit=1</script>\n```', '<iframe srcdoc="<script>parent.hit=1</script>">',
  ];
  for (const text of hostile) {
    await view.goto(`${address}/#/chat`);
    await view.getByText('What shall we think about?').waitFor();
    await say(view, text);
    await done(view);
    const found = await answers(view).evaluateAll((nodes) => nodes.map((node) => ({
      active: node.querySelectorAll('script,img,svg,iframe,object,embed').length,
      links: [...node.querySelectorAll('a')].map((link) => link.protocol),
    })));
    for (const each of found) {
      assert.equal(each.active, 0, text);
      for (const protocol of each.links) assert.match(protocol, /^(https?:|mailto:|:)$/);
    }
  }
  assert.equal(await view.evaluate(() => globalThis.hit), undefined);
  assert.deepEqual(view.problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe on any page, ${colorScheme}`, async () => {
    const view = await window({ colorScheme });
    const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const [thread] = (await get('/api/v1/conversations')).data;
    for (const hash of ['chat', `chat/${thread.id}`, 'models', 'server']) {
      await view.goto(`${address}/#/${hash}`);
      await view.locator('main h1').waitFor();
      await view.evaluate(axe);
      const { violations } = await view.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map((each) => `${hash} ${each.id}: ${each.nodes[0].html}`), []);
    }
    assert.deepEqual(view.problems, []);
  });
}

test('a killed server keeps what was streamed', async () => {
  const view = await window();
  await view.goto(address);
  await say(view, 'slowly');
  await view.getByText('word12').waitFor();
  const [thread] = (await get('/api/v1/conversations')).data;
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await start();
  const kept = (await get(`/api/v1/conversations/${thread.id}`)).messages[1];
  assert.equal(kept.status, 'cut');
  assert.match(kept.text, /^word1 word2/);
});

test.after(async () => {
  await browser.close();
  child.removeAllListeners('exit');
  child.kill();
  rmSync(home, { recursive: true, force: true });
});
