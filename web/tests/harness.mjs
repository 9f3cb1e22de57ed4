// What every test of the app in a browser begins with: the real server with a script that answers,
// and windows that note whatever goes wrong in them. Ends with 77, which is "skipped", where there is
// no browser or no built app.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const patienceMs = Number(process.env.STRATA_PATIENCE_MS ?? 120_000); // of a machine that does much else
const site = process.env.STRATA_SITE; // a built page, shown in place of the program's own
const require = createRequire(import.meta.url);
const strata = process.argv[2] ?? process.env.STRATA;

export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(77);
}

// "slowly" lasts for minutes: what is to be seen while it runs comes in time on any machine.
const demo = { models: [{ name: 'demo', tokens_per_second: 12, rules: [
  { contains: 'weather', role: 'user', reply: 'One moment.', calls: [{ name: 'weather', arguments: { city: 'Bern' } }] },
  { role: 'tool', reply: 'It is {message}.' },
  { contains: 'slowly', reply: Array.from({ length: 3000 }, (_, i) => `word${i + 1}`).join(' ') },
  { contains: 'think first', reasoning: 'I <i>think</i> about it', reply: 'Done.' },
  { contains: 'stop early', reply: 'the first half', finish: 'length' },
  { reply: '{message}' },
] }] };

// A server of its own, in a folder of its own, until close(). A script is a file's name or its content;
// null: none, the server runs models.
export class Server {
  address = '';
  constructor(script = demo, args = [], env = {}) {
    this.home = mkdtempSync(join(tmpdir(), 'strata-web-'));
    this.env = { ...process.env, ...env, STRATA_HOME: this.home };
    this.args = ['serve', '--port', '0', ...args];
    if (script === null) return;
    const file = typeof script === 'string' ? script : join(this.home, 'script.json');
    if (file !== script) writeFileSync(file, JSON.stringify(script));
    this.args.push('--scripted', file);
  }

  async start() {
    this.child = spawn(strata, this.args, {
      env: this.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.said = '';
    this.child.stderr.on('data', (bytes) => (this.said += bytes));
    this.address = /http:\S+/.exec(await this.hears(/serving on http:\S+/))[0].replace('0.0.0.0', '127.0.0.1');
    return this;
  }

  // What of its words the pattern finds, as soon as it does.
  hears(pattern) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(this.said);
        if (found) resolve(found[0]);
      };
      this.child.stderr.on('data', look);
      this.child.on('exit', () => reject(new Error(`the server ended: ${this.said}`)));
      look();
    });
  }

  // The secret of a new one, for the server's args --require-key.
  key(name, scopes = 'inference') {
    const said = execFileSync(strata, ['key', 'create', name, '--scopes', scopes], { env: this.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return /sk-strata-\S+/.exec(said)[0];
  }

  // Until it is gone: another one would leave its answers alone.
  kill() {
    this.child.removeAllListeners('exit');
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    return gone;
  }

  close() {
    this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }

  get = async (path) => (await fetch(this.address + path)).json();
}

const windows = { locale: 'en', serviceWorkers: 'block' };

// The menu under the browser's own address bar is two pages a window, which take more of a core than ours.
// The last list of features that is named replaces those before it, the driver's too: what of that matters
// here stands with it.
const disable = '--disable-features=';
const disabled = `${disable}WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,HttpsUpgrades,MediaRouter,OptimizationHints`;
const inOneList = (flags) => [...flags.filter((each) => !each.startsWith(disable)),
  [disabled, ...flags.filter((each) => each.startsWith(disable)).map((each) => each.slice(disable.length))].join(',')];

// The browser and a server that has the app; `args` go to "strata serve", `flags` to Chromium. Its windows
// are private ones, which make no connection ahead of need, or those of a `profile`, which do.
export async function begin({ script, args, env, flags = [], profile = false } = {}) {
  const chromiumPath = [process.env.STRATA_CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser',
    '/usr/bin/chromium-headless-shell'].find((each) => existsSync(each) && !(profile && each.endsWith('shell')));
  if (!chromiumPath) skip('Chromium is not here');
  let chromium;
  try {
    ({ chromium } = require('playwright-core'));
  } catch {
    skip('playwright-core is not here');
  }
  const server = await new Server(script, args, env).start();
  const page = await fetch(server.address, { headers: { accept: 'text/html' } });
  if (!(await page.text()).includes('/assets/')) {
    server.close();
    skip('the program was built without the app');
  }
  const how = {
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...inOneList(flags)],
  };
  const browser = profile
    ? await chromium.launchPersistentContext(join(server.home, 'profile'), { ...how, ...windows })
    : await chromium.launch(how);
  const end = async () => {
    await browser.close();
    server.close();
  };
  return { server, browser, end };
}

// Another name of this machine, with `flags` that know it: a page from it is in no secure context. The
// second one is for a page that is shown in place of the program's own: where it came from is not known.
export const elsewhere = 'strata.test';
export const toElsewhere = [`--host-resolver-rules=MAP ${elsewhere} 127.0.0.1`,
  '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests'];

// Pages with the program's headers, so that its policies hold; other files as they are.
async function fromSite(route) {
  const { pathname } = new URL(route.request().url());
  const path = join(site, pathname === '/' ? 'index.html' : pathname);
  if (!existsSync(path)) return route.fulfill({ status: 404 });
  return route.fulfill({ path, ...(/(\/|\.html)$/.test(pathname) && { response: await route.fetch({ url: route.request().url().replace(elsewhere, '127.0.0.1') }) }) });
}

// A window with its own cookies, where it is private. Errors and requests to other origins are its `problems`.
export async function open(browser, server, options = {}) {
  const context = browser.newContext ? await browser.newContext({ ...windows, ...options }) : browser;
  context.setDefaultTimeout(patienceMs);
  if (site) await context.route((url) => url.origin === server.address && /^\/($|assets\/|frame\/|icon|manifest)/.test(url.pathname), fromSite);
  const view = await context.newPage();
  view.problems = [];
  view.on('console', (line) => line.type() === 'error' && view.problems.push(line.text()));
  view.on('pageerror', (error) => view.problems.push(String(error)));
  view.on('request', (request) => {
    if (!request.url().startsWith(server.address) && !/^(blob|about):/.test(request.url())) {
      view.problems.push(`asks another origin: ${request.url()}`);
    }
  });
  return view;
}

const axeSource = () => readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// What axe finds on the page as it is, the size of what is pressed too (WCAG 2.2, 2.5.8): rules with the
// first node of each.
export async function axe(view) {
  await view.evaluate(axeSource());
  const { violations } = await view.evaluate(async () => {
    const fades = document.getAnimations().filter((each) => each instanceof CSSTransition);
    await Promise.allSettled(fades.map((each) => each.finished)); // half seen, a colour is another one
    return globalThis.axe.run({ rules: { 'target-size': { enabled: true } } });
  });
  return violations.map((each) => `${each.id}: ${each.nodes[0].html}`);
}

// What the browser has no event for; gives what it came to.
export async function until(holds) {
  for (const end = Date.now() + patienceMs; ; ) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${holds}`);
    await new Promise((next) => setTimeout(next, 20));
  }
}

export async function say(view, text) {
  await view.getByRole('textbox', { name: 'Message' }).fill(text);
  await view.keyboard.press('Enter');
}
export const answers = (view) => view.locator('article[data-role=assistant]');
// The last answer is whole, or that with the number `at`: while what was said just now is on its way, the
// last one is that before.
export const done = (view, at = -1) => answers(view).nth(at).and(view.locator('[data-status=done]')).waitFor();
