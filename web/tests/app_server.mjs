// The page Server against the real server, which asks for keys: charts, keys and their use, the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { axe, begin, done, open, say, Server, until } from './harness.mjs';

const { server, browser, end } = await begin({ args: ['--require-key'] });
const keys = { admin: server.key('root', 'admin'), asker: server.key('asker', 'inference,metrics'), narrow: server.key('narrow', 'inference') };
const as = async (key, path) => (await fetch(server.address + path, { headers: { authorization: `Bearer ${key}` } })).json();
const signedIn = async (key, options) => {
  const view = await open(browser, server, options);
  await view.goto(server.address);
  await view.locator('input[type=password]').fill(key);
  await view.locator('main form button').click();
  await view.locator('nav').waitFor();
  return view;
};
const onServer = async (key, options) => {
  const view = await signedIn(key, options);
  await view.goto(`${server.address}/#/server`);
  await view.locator('main h1 + .chip').waitFor(); // its version
  return view;
};

test('an answer is in the last hour\'s charts, and counted for its key', async () => {
  const asker = await signedIn(keys.asker);
  await say(asker, 'count this');
  await done(asker);
  const history = await until(async () => {
    const all = await as(keys.asker, '/api/v1/metrics/history');
    return all.requests.some((n) => n > 0) && all.tokens_per_second.some((n) => n > 0) && all;
  });
  assert.equal(history.requests.reduce((a, b) => a + b), 1);
  const view = await onServer(keys.admin);
  const written = view.getByRole('img', { name: /^Tokens written per second: now [\d.]+, at most [\d.]*[1-9]/ });
  await written.waitFor();
  assert.equal(await written.locator('polyline').count(), 1);
  assert.equal(await view.getByRole('img', { name: /^Answers at work and waiting/ }).locator('polyline').count(), 2);
  await view.getByRole('img', { name: /^Memory of the server: now \d+ MB/ }).waitFor();
  const row = view.getByRole('listitem').filter({ hasText: 'asker' });
  await row.getByText(/^1 requests, \d+ tokens read, \d+ written$/).waitFor();
  const numbers = await (await fetch(`${server.address}/metrics`, { headers: { authorization: `Bearer ${keys.admin}` } })).text();
  const sum = (name) => [...numbers.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce((all, [, each]) => all + Number(each), 0);
  const cached = Math.round((100 * sum('strata_cached_tokens_total')) / sum('strata_prompt_tokens_total'));
  const tile = (title) => view.locator('dl > div', { hasText: title }).locator('dd');
  await until(async () => (await tile('Read from the cache').innerText()) === `${cached} %`);
  assert.match(await tile('Answers per step').innerText(), /^(–|\d+(\.\d)?)$/);
  const used = (await as(keys.admin, '/api/v1/keys')).data.find((each) => each.name === 'asker');
  assert.equal(used.requests, 1);
  assert.deepEqual([...view.problems, ...asker.problems], []);
});

test('a key is made by the keyboard alone, shown once, good, seen by another window, and revoked', async () => {
  const view = await onServer(keys.admin);
  const second = await onServer(keys.admin);
  await view.getByLabel('Name of the key').focus();
  await view.keyboard.type('laptop');
  for (const key of ['Tab', 'Tab', 'Space', 'Tab', 'Tab', 'Tab']) await view.keyboard.press(key); // metrics, too
  await view.keyboard.type('30');
  await view.keyboard.press('Enter');
  const secret = await view.getByRole('status').locator('code').textContent();
  assert.match(secret, /^sk-strata-/);
  const made = (await as(keys.admin, '/api/v1/keys')).data.find((each) => each.name === 'laptop');
  assert.deepEqual(made.scopes, ['inference', 'metrics']);
  assert.equal(made.expires - made.created, 30 * 86_400);
  assert.ok((await as(secret, '/v1/models')).data);
  await second.getByRole('listitem').filter({ hasText: 'laptop' }).getByText('live').waitFor();
  assert.ok(!(await second.content()).includes(secret));
  await view.reload();
  await view.getByText('laptop').waitFor();
  assert.ok(!(await view.content()).includes(secret));
  const row = view.getByRole('listitem').filter({ hasText: 'laptop' });
  await row.getByText('Revoke …').focus();
  for (const key of ['Enter', 'Tab', 'Enter']) await view.keyboard.press(key);
  await second.getByRole('listitem').filter({ hasText: 'laptop' }).getByText('revoked').waitFor();
  assert.equal((await fetch(`${server.address}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).status, 401);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('a key is made once by two presses; why one is not made stays to be read', async () => {
  const view = await onServer(keys.admin);
  const before = (await as(keys.admin, '/api/v1/keys')).data.length;
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let made = 0;
  await view.route('**/api/v1/keys', async (route) => {
    if (route.request().method() === 'POST') { made += 1; await held; }
    await route.continue();
  });
  await view.getByLabel('Name of the key').fill('twice');
  await view.getByRole('button', { name: 'Make a key' }).dblclick();
  release();
  await view.getByText('twice').waitFor();
  await until(async () => (await as(keys.admin, '/api/v1/keys')).data.length >= before + made);
  assert.equal(made, 1);
  await view.getByText('Log', { exact: true }).click();
  await view.unrouteAll();
  await view.route('**/api/v1/keys', (route) => (route.request().method() === 'POST' ? route.fulfill({ status: 400, json: { error: 'not so' } }) : route.continue()));
  await view.getByLabel('Name of the key').fill('refused');
  await view.getByRole('button', { name: 'Make a key' }).click();
  await view.getByRole('alert').getByText('not so').waitFor();
  for (const path of ['/metrics', '/metrics/history', '/logs']) {
    await view.waitForResponse((each) => new URL(each.url()).pathname.endsWith(path)); // what comes again and again
  }
  await view.getByRole('alert').getByText('not so').waitFor();
  assert.deepEqual(view.problems.filter((each) => !/Failed to load resource/.test(each)), []);
});

test('where no key is asked for, the page says that one restricts nothing', async () => {
  const said = (view) => view.getByText('This server asks for no key');
  const free = await new Server().start();
  const view = await open(browser, free);
  await view.goto(`${free.address}/#/server`);
  await said(view).getByText('strata serve --require-key').waitFor();
  assert.deepEqual(await axe(view), []);
  assert.deepEqual(view.problems, []);
  free.close();
  const locked = await onServer(keys.admin);
  await locked.getByRole('heading', { name: 'Keys' }).waitFor();
  assert.equal(await said(locked).count(), 0);
});

test('code comes with a key that is good for its model alone, where one may make keys', async () => {
  const code = async (key) => {
    const view = await signedIn(key);
    await say(view, 'as code');
    await done(view);
    await view.locator('article[data-role=assistant]').getByRole('button', { name: 'Copy as code' }).click();
    await view.getByRole('dialog').getByText('Authorization: Bearer $STRATA_API_KEY').waitFor();
    return view;
  };
  const view = await code(keys.admin);
  await view.getByRole('button', { name: 'With a key of its own' }).click();
  await view.getByText('A new key stands in the code.').waitFor();
  const shown = view.getByRole('dialog').locator('pre');
  const secrets = [];
  for (const language of ['curl', 'Python', 'JavaScript', 'Go', 'Java', 'C++']) {
    await view.getByRole('dialog').getByRole('button', { name: language, exact: true }).click();
    const text = await shown.innerText();
    assert.doesNotMatch(text, /STRATA_API_KEY/, language);
    secrets.push(/sk-strata-[\w-]+/.exec(text)[0]);
  }
  assert.equal(new Set(secrets).size, 1);
  assert.deepEqual(await axe(view), []);
  const made = (await as(keys.admin, '/api/v1/keys')).data.find((each) => each.name === 'Copy as code: demo');
  assert.deepEqual([made.scopes, made.models], [['inference'], ['demo']]);
  const ask = (model) => fetch(`${server.address}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${secrets[0]}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }) });
  assert.equal((await ask('demo')).status, 200);
  assert.ok([403, 404].includes((await ask('other')).status));
  assert.equal((await fetch(`${server.address}/metrics`, { headers: { authorization: `Bearer ${secrets[0]}` } })).status, 403);
  assert.equal((await code(keys.asker).then((other) => other.getByRole('button', { name: 'With a key of its own' }).count())), 0);
  assert.deepEqual(view.problems, []);
});

test('the log is read by an admin, without secrets', async () => {
  await fetch(`${server.address}/v1/models?key=${keys.asker}`);
  const view = await onServer(keys.admin);
  await view.getByText('Log', { exact: true }).click();
  const log = view.getByRole('log', { name: 'Log' });
  await log.getByText('/v1/models').first().waitFor();
  await view.getByLabel('Filter: Log').fill('no line has this');
  await log.getByText('Nothing was logged yet.').waitFor();
  const lines = (await as(keys.admin, '/api/v1/logs?limit=1000')).data;
  assert.ok(lines.length > 5 && !JSON.stringify(lines).includes(keys.asker.slice(-20)));
  assert.deepEqual(view.problems, []);
});

test('who is no admin sees neither keys nor log, and is asked for nothing that he may not', async () => {
  for (const key of [keys.asker, keys.narrow]) {
    const view = await onServer(key);
    await view.getByText(/Keys, Log: This is for who is admin/).waitFor();
    assert.equal(await view.getByRole('heading', { name: 'Keys' }).count(), 0);
    if (key === keys.asker) await view.getByRole('img').first().waitFor();
    else await view.getByText(/All numbers: This is for who is admin/).waitFor();
    await view.evaluate(() => fetch('/api/v1/session').then((answer) => answer.text())); // asked last
    assert.equal(await view.getByRole('img').count() > 0, key === keys.asker);
    assert.deepEqual(view.problems, []);
  }
  const refused = await fetch(`${server.address}/api/v1/logs`, { headers: { authorization: `Bearer ${keys.asker}` } });
  assert.equal(refused.status, 403);
});

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe with everything open, ${colorScheme}`, async () => {
    const view = await onServer(keys.admin, { colorScheme });
    await view.getByRole('img').first().waitFor();
    for (const title of ['Log', 'All numbers']) await view.getByText(title, { exact: true }).click();
    await view.getByRole('log').locator('p > span').first().waitFor();
    assert.deepEqual(await axe(view), []);
    assert.deepEqual(view.problems, []);
  });
}

test('in every language', async () => {
  for (const [locale, words] of Object.entries({ fr: 'La dernière heure', 'pt-BR': 'A última hora', hi: 'पिछला घंटा', es: 'La última hora', de: 'Die letzte Stunde' })) {
    const view = await onServer(keys.admin, { locale });
    await view.getByRole('heading', { name: words }).waitFor();
    assert.deepEqual(view.problems, []);
    await view.context().close();
  }
});

test.after(end);
