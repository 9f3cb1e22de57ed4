// What the tests of the app share: a server with scripted answers in a folder of its own, and a
// browser whose windows note what went wrong in them. Where something is missing the test ends with
// 77, which is "skipped".
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const strata = process.argv[2] ?? process.env.STRATA;
const require = createRequire(import.meta.url);

export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

export async function serve(script, { withKey = false } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'strata-web-'));
  const env = { ...process.env, STRATA_HOME: home };
  writeFileSync(join(home, 'script.json'), JSON.stringify(script));
  const makeKey = (name) => /sk-strata-\S+/.exec(execFileSync(strata, ['key', 'create', name],
    { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))[0];
  const key = withKey ? makeKey('test') : '';
  const child = spawn(
    strata,
    ['serve', '--port', '0', '--scripted', join(home, 'script.json'), ...(withKey ? ['--require-key'] : [])],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const address = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += bytes;
      const found = /serving on (http:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    child.on('exit', () => reject(new Error(`the server ended: ${said}`)));
  });
  return {
    address,
    key,
    makeKey,
    get: async (path) => (await fetch(address + path)).json(),
    stop() {
      child.removeAllListeners('exit');
      child.kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export async function browse(server) {
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  let chromium;
  try {
    ({ chromium } = require('playwright-core'));
  } catch {
    // said below
  }
  const page = await (await fetch(server.address, { headers: { accept: 'text/html' } })).text();
  const lacks = !path || !chromium ? 'Chromium or playwright-core is not here'
    : !page.includes('/assets/') ? 'the program was built without the app' : '';
  if (lacks) {
    server.stop();
    skip(lacks);
  }
  const browser = await chromium.launch({
    executablePath: path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  return {
    close: () => browser.close(),
    // A person's window, of a context of its own; at another server where an address is given.
    async window(hash, options = {}, address = server.address) {
      const context = await browser.newContext({ locale: 'en', ...options });
      context.setDefaultTimeout(60_000); // of a busy machine
      const view = await context.newPage();
      view.problems = [];
      view.on('console', (line) => line.type() === 'error' && view.problems.push(line.text()));
      view.on('pageerror', (error) => view.problems.push(String(error)));
      view.on('request', (request) => {
        if (!request.url().startsWith(address) && !request.url().startsWith('blob:')) {
          view.problems.push(`asks another origin: ${request.url()}`);
        }
      });
      await view.goto(`${address}/#/${hash}`);
      await view.locator('main h1').first().waitFor();
      return view;
    },
  };
}

export async function violations(view) {
  await view.evaluate((await import('node:fs')).readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const found = await view.evaluate(() => globalThis.axe.run());
  return found.violations.map((each) => `${each.id}: ${each.nodes[0].html}`);
}
