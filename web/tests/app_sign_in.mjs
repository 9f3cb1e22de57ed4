// Signing in on an address that is not this machine's own: with the terminal's link, once, which makes
// the first key; and copying there, where browsers give pages no clipboard.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { answers, axe, begin, done, elsewhere, open, say, toElsewhere, until } from './harness.mjs';

const { server, browser, end } = await begin({ args: ['--require-key', '--host', '0.0.0.0'], flags: toElsewhere });
const port = new URL(server.address).port;
server.address = `http://${elsewhere}:${port}`;
const direct = `http://127.0.0.1:${port}`; // for what is no browser
const linkIn = (text) => /#\/link\/invitation-strata-[\w-]{43}/.exec(text)?.[0];
const told = () => execFileSync(process.argv[2] ?? process.env.STRATA, ['key', 'link', 'anna'], { env: server.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const first = linkIn(await server.hears(/#\/link\/\S+/));
const keysOf = async (secret) => (await fetch(`${direct}/api/v1/keys`, { headers: { authorization: `Bearer ${secret}` } })).json();
const signsIn = async (link, options) => {
  const view = await open(browser, server, options);
  await view.goto(`${server.address}/${link}`);
  await view.getByRole('button', { name: 'Make my key and sign in' }).waitFor();
  return view;
};

let admin = '';
test('the server\'s link makes the first key by the keyboard alone, and signs in', async () => {
  const view = await signsIn(first);
  assert.equal(await view.evaluate(() => isSecureContext), false);
  assert.deepEqual(await axe(view), []);
  for (const key of ['Tab', 'Tab', 'Enter']) await view.keyboard.press(key); // behind the name of the app
  admin = await view.locator('main code').innerText();
  assert.match(admin, /^sk-strata-[\w-]{43}$/);
  assert.deepEqual(await axe(view), []);
  const keys = await keysOf(admin);
  assert.deepEqual(keys.data.map(({ name, scopes, state }) => ({ name, scopes, state })), [{ name: 'admin', scopes: ['admin'], state: 'live' }]);
  await view.getByRole('button', { name: 'Continue' }).click();
  await view.getByRole('navigation').waitFor();
  await say(view, 'is it mine?');
  await done(view);
  const { data } = await (await fetch(`${direct}/api/v1/conversations`, { headers: { authorization: `Bearer ${admin}` } })).json();
  assert.deepEqual(data.map((each) => each.title), ['is it mine?']);
  assert.ok(!(await view.content()).includes(admin));
  assert.equal(await view.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]).includes('strata-')), false);
  assert.deepEqual(view.problems, []);
});

test('a used link signs nobody in, and says what to do', async () => {
  const view = await signsIn(first);
  await view.getByRole('button', { name: 'Make my key and sign in' }).click();
  await view.getByRole('alert').getByText('strata key link').waitFor();
  await view.goto(`${server.address}/#/chat`);
  await view.getByLabel('Key').waitFor();
  assert.equal((await keysOf(admin)).data.length, 1);
});

test('a link from the terminal makes a narrow key beside a signed-in window', async () => {
  const link = linkIn(told());
  const view = await signsIn(link);
  const second = await signsIn(link);
  await view.getByRole('button', { name: 'Make my key and sign in' }).click();
  await view.getByRole('button', { name: 'Continue' }).click();
  await view.getByRole('button', { name: 'Sign out anna' }).waitFor();
  await second.getByRole('button', { name: 'Make my key and sign in' }).click();
  await second.getByRole('alert').waitFor();
  assert.deepEqual((await keysOf(admin)).data.map((each) => each.scopes), [['admin'], ['inference']]);
  await view.reload();
  await view.getByRole('button', { name: 'Sign out anna' }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('texts are copied without a secure context', async () => {
  const view = await signsIn(linkIn(told()));
  await view.getByRole('button', { name: 'Make my key and sign in' }).click();
  const secret = await view.locator('main code').innerText();
  await view.getByRole('button', { name: 'Copy' }).click();
  await view.getByRole('button', { name: 'Copied' }).waitFor();
  await view.getByRole('button', { name: 'Continue' }).click();
  const field = view.getByRole('textbox', { name: 'Message' });
  await field.focus();
  await view.keyboard.press('Control+V');
  assert.equal(await field.inputValue(), secret);
  await say(view, 'copy this');
  await done(view);
  await answers(view).first().getByRole('button', { name: 'Copy as code' }).click();
  await view.getByRole('dialog').getByRole('button', { name: 'Copy', exact: true }).click();
  await view.getByRole('dialog').getByRole('button', { name: 'Copied' }).waitFor();
  const code = await view.getByRole('dialog').locator('pre').textContent();
  await view.keyboard.press('Escape');
  await field.focus();
  await view.keyboard.press('Control+V');
  assert.equal(await field.inputValue(), code);
  assert.deepEqual(view.problems, []);
});

test('what one key typed is not there for the next one that signs in, in this window or beside it', async () => {
  const view = await open(browser, server);
  const beside = await view.context().newPage();
  const [berta, carl] = [server.key('berta'), server.key('carl')];
  const field = (page) => page.getByRole('textbox', { name: 'Message' });
  const signIn = async (page, key) => {
    await page.getByLabel('Key').fill(key);
    await page.keyboard.press('Enter');
    await field(page).waitFor();
  };
  await view.goto(server.address);
  await signIn(view, berta);
  await field(view).fill('only for berta');
  await view.reload();
  await field(view).waitFor();
  await until(async () => (await field(view).inputValue()) === 'only for berta');
  await beside.goto(server.address);
  await field(beside).fill('also for berta');
  await view.getByRole('button', { name: 'Sign out berta' }).click();
  await signIn(view, carl);
  assert.equal(await field(view).inputValue(), '');
  assert.doesNotMatch(await view.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage })), /berta/);
  await beside.evaluate(() => {
    for (const value of [true, false]) {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }
  });
  await beside.getByRole('button', { name: 'Sign out carl' }).waitFor();
  assert.equal(await field(beside).inputValue(), '');
  assert.doesNotMatch(await beside.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage })), /berta/);
  assert.deepEqual(view.problems, []);
});

test.after(end);
