// The page Models against the real server, which pulls from a hub on this machine, and quantises.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { axe, begin, done, open, Server, until } from './harness.mjs';
import { Hub } from './hub.mjs';
import { tinyGguf } from './tiny_gguf.mjs';

const tiny = tinyGguf();
const hub = await new Hub({
  'own/Tiny-GGUF': { downloads: 1200, tags: ['gguf', 'license:mit'], files: { 'README.md': Buffer.from('# Tiny'), 'Tiny-F32.gguf': tiny } },
  'own/Closed-tiny': { downloads: 7, tags: ['gguf'], gated: 'auto', files: { 'README.md': Buffer.from('#') } },
  'own/Tiny-folder': { downloads: 9000, tags: ['safetensors'], files: {} },
}).start();
const { server, browser, end } = await begin({ script: null, env: { HF_ENDPOINT: hub.address, HF_TOKEN: '' } });
const { get } = server;
const name = 'hf:own/Tiny-GGUF:Tiny-F32';
const window = (options) => open(browser, server, options);
const models = async (options, argument = '') => {
  const view = await window(options);
  await view.goto(`${server.address}/#/models${argument && `/${encodeURIComponent(argument)}`}`);
  await view.getByRole('heading', { level: 1 }).waitFor();
  return view;
};
const search = async (view, words) => {
  await view.getByRole('searchbox', { name: 'Name of a model' }).fill(words);
  await view.keyboard.press('Enter');
};
const partial = () => {
  const folder = join(server.home, 'partial');
  return existsSync(folder) ? readdirSync(folder).filter((each) => each.endsWith('.part')).map((each) => statSync(join(folder, each)).size) : [];
};
const choose = async (view) => {
  await search(view, 'tiny');
  await view.getByRole('button', { name: 'own/Tiny-GGUF', exact: true }).click();
  await view.getByRole('button', { name: 'Download Tiny-F32.gguf' }).click();
};

test('with no model at all a script says hello, and what fits is offered beside it', async () => {
  const view = await window();
  await view.goto(server.address);
  const offers = view.getByRole('region', { name: 'These fit this machine' });
  await offers.getByRole('listitem').first().waitFor();
  const { models: known } = await get('/api/v1/catalog?context=4096');
  const { available_bytes: room } = await get('/api/v1/machine');
  const chat = known.filter((each) => each.kind === 'chat' && each.memory.bytes < room / 2).toSorted((a, b) => a.size - b.size);
  assert.ok(chat.length >= 3, 'a machine that tests run on has room for three');
  const cards = offers.getByRole('listitem');
  assert.equal(await cards.count(), 3);
  let before = 0;
  for (const card of await cards.all()) { // from the quickest to the largest
    const words = await card.innerText();
    const { name, kind, size, licence, tokens_per_second } = known.find((each) => words.startsWith(each.name));
    assert.equal(kind, 'chat');
    assert.ok(size > before);
    before = size;
    const shown = size < 1e9 ? `${Math.round(size / 1e6)} MB` : `${(size / 1e9).toFixed(1)} GB`;
    for (const part of [shown, licence, 'fits this machine', 'up to']) assert.ok(words.includes(part), `${part}: ${words}`);
    assert.ok(tokens_per_second > 0);
    assert.ok(await card.getByRole('button', { name: `Download ${name}` }).isEnabled());
  }
  assert.ok((await cards.first().innerText()).startsWith(chat[0].name));
  assert.deepEqual(await axe(view), []);
  await view.getByRole('textbox', { name: 'Message' }).fill('hello?');
  await view.keyboard.press('Enter');
  await view.getByText('Hello! I am a script, not a model').waitFor();
  const [thread] = (await get('/api/v1/conversations')).data;
  const second = await window();
  await second.goto(`${server.address}/#/chat/${thread.id}`);
  await second.getByText('Hello! I am a script, not a model').waitFor();
  await done(second);
  assert.match((await get(`/api/v1/conversations/${thread.id}`)).messages[1].text, /^Hello! I am a script/);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('a download is seen where it was begun, also one of which nobody knows how long it is', async () => {
  const view = await window({ viewport: { width: 1000, height: 480 } });
  const job = { id: 'job_1', kind: 'pull', state: 'running', model: 'm', type: '', name: '', stage: 'making a Python environment',
    done_bytes: 5e6, total_bytes: 0, bytes_per_second: 0, error: '', hint: '' };
  const data = [];
  await view.route(/\/api\/v1\/jobs$/, (route) => {
    if (route.request().method() === 'POST') data[0] = job;
    return route.fulfill({ json: data.length && route.request().method() === 'POST' ? job : { data, types: [] } });
  });
  await view.goto(server.address);
  await view.getByRole('button', { name: /^Download / }).first().click();
  const row = view.locator('#job_1');
  await row.getByText('5 MB').waitFor();
  assert.equal(await row.getByRole('progressbar').getAttribute('value'), null);
  await view.waitForFunction(() => {
    const row = document.getElementById('job_1').getBoundingClientRect();
    const list = document.querySelector('[role=log]').getBoundingClientRect();
    return row.top >= list.top && row.bottom <= list.bottom;
  });
  assert.deepEqual(await axe(view), []);
  await view.goto(`${server.address}/#/models`);
  await view.getByRole('heading', { name: 'To download' }).waitFor();
  const last = view.getByRole('button', { name: /^Download / }).last();
  await last.scrollIntoViewIfNeeded();
  await last.click();
  await view.waitForFunction(() => document.getElementById('job_1').getBoundingClientRect().top > 0);
  assert.deepEqual(view.problems, []);
});

test('what fits is said before a download, at a context of choice, in the reader\'s language', async () => {
  const view = await models();
  const card = view.getByRole('listitem').filter({ hasText: 'smollm2:135m' });
  for (const context of [4096, 8192]) {
    await view.getByLabel('Foretold for a context of').selectOption(String(context));
    const [entry] = (await get(`/api/v1/catalog?context=${context}`)).models;
    assert.equal(entry.memory.bytes, entry.size + context * 23040 + 80 * 2 ** 20);
    await card.getByText(`${Math.round(entry.memory.bytes / 1e6)} MB of memory`).waitFor();
    const speed = entry.tokens_per_second;
    const shown = speed.toLocaleString('en', { maximumFractionDigits: speed < 10 ? 1 : 0 });
    await card.getByText(`up to ${shown} tokens/s`).waitFor();
  }
  await card.getByText('Apache-2.0').waitFor();
  assert.deepEqual(view.problems, []);
  for (const [locale, words] of Object.entries({ fr: /jusqu’à [\d,]+ tokens\/s/, 'pt-BR': /até [\d,]+ tokens\/s/, hi: /[\d.]+ टोकन/, es: /hasta [\d,]+ tokens\/s/, de: /bis [\d,]+ Tokens\/s/ })) {
    const other = await models({ locale });
    await other.getByText(words).first().waitFor();
    assert.deepEqual(other.problems, []);
    await other.context().close();
  }
});

test('a model is found at the hub; its download pauses, goes on where it was, and another window sees it', async () => {
  const view = await models();
  const second = await models();
  hub.hold();
  await search(view, 'tiny');
  await view.getByText('1,200 downloads').waitFor();
  await view.getByText('wants an accepted licence').waitFor();
  assert.equal(await view.getByText('own/Tiny-folder').count(), 0); // nothing of it is GGUF
  await view.getByRole('button', { name: 'own/Tiny-GGUF', exact: true }).click();
  await view.getByRole('button', { name: 'Download Tiny-F32.gguf' }).click();
  await second.getByText('downloading').waitFor();
  await until(() => partial()[0] === tiny.length >> 1);
  await view.getByRole('progressbar').waitFor();
  await second.getByText('50 %').waitFor();
  await second.getByRole('button', { name: /^Pause/ }).click();
  await view.getByText('paused').waitFor();
  assert.equal((await get('/api/v1/jobs')).data[0].state, 'paused');
  await until(() => hub.waiting.length === 0);
  assert.deepEqual(partial(), [tiny.length >> 1]);
  hub.release();
  await view.getByRole('button', { name: /^Resume/ }).click();
  await second.getByText('finished').waitFor();
  await second.getByRole('link', { name }).waitFor();
  await second.getByRole('listitem').filter({ hasText: 'finished' }).getByRole('button', { name: 'Chat with it' }).waitFor();
  assert.ok(hub.asked.some(({ range }) => range === `bytes=${tiny.length >> 1}-`));
  assert.deepEqual(partial(), []);
  const facts = await get(`/api/v1/models/${name}`);
  const hash = createHash('sha256').update(tiny).digest('hex');
  assert.equal(facts.files[0].sha256, hash);
  assert.ok(readFileSync(join(server.home, `blobs/sha256-${hash}`)).equals(tiny));
  await view.getByRole('button', { name: /^Take off the list/ }).click();
  await second.getByRole('heading', { name: 'Downloads and work' }).waitFor({ state: 'detached' });
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('what a repository has stands under its own name, and what a model needs under its context, however late', async () => {
  const view = await models();
  const held = new Map();
  const hold = (url, of) => view.route(url, async (route) => {
    const name = new URL(route.request().url()).searchParams.get(of);
    if (/Tiny|8192/.test(name)) await new Promise((go) => held.set(of, go));
    await route.continue();
  });
  await hold('**/api/v1/hub/files?*', 'repository');
  await search(view, 'tiny');
  await view.getByRole('button', { name: 'own/Tiny-GGUF', exact: true }).click();
  await until(() => held.has('repository'));
  await view.getByRole('button', { name: 'own/Closed-tiny', exact: true }).click();
  await view.getByText('No GGUF').or(view.getByText('GGUF', { exact: false }).last()).first().waitFor();
  const late = async (of, part) => {
    const came = view.waitForResponse((each) => each.url().includes(part));
    held.get(of)();
    await (await came).finished();
    await view.evaluate(() => new Promise((next) => setTimeout(next, 50)));
  };
  await late('repository', 'Tiny-GGUF');
  assert.equal(await view.getByRole('button', { name: 'Download Tiny-F32.gguf' }).count(), 0);
  await hold('**/api/v1/catalog?*', 'context');
  const card = view.getByRole('listitem').filter({ hasText: 'smollm2:135m' });
  const [{ size }] = (await get('/api/v1/catalog?context=2048')).models;
  const memory = (context) => `${Math.round((size + context * 23040 + 80 * 2 ** 20) / 1e6)} MB of memory`;
  await view.getByLabel('Foretold for a context of').selectOption('8192');
  await until(() => held.has('context'));
  await view.getByLabel('Foretold for a context of').selectOption('2048');
  await card.getByText(memory(2048)).waitFor();
  await late('context', '8192');
  await card.getByText(memory(2048)).waitFor();
  assert.deepEqual(view.problems, []);
});

test('a model\'s page says where it came from and what it takes', async () => {
  const view = await models({}, name);
  const details = view.getByRole('region', { name: 'Details' });
  const facts = await get(`/api/v1/models/${name}?context=256`);
  await details.getByText(facts.files[0].sha256).waitFor();
  for (const text of ['mit', 'hf:own/Tiny-GGUF:Tiny-F32.gguf', 'F32 100 %', '256 tokens', facts.parameters.toLocaleString('en')]) {
    await details.getByText(text).first().waitFor();
  }
  await details.getByText(/at 256 positions: weights/).waitFor(); // not 4,096: it has no more
  await details.getByText('Template').click();
  await details.getByText('m.content').waitFor();
  await details.getByRole('button', { name: 'Copy as code' }).click();
  const [, code] = /<<'JSON'\n(.*)\nJSON\n/s.exec(await view.getByRole('dialog').locator('pre').innerText());
  const { model, messages } = JSON.parse(code);
  assert.deepEqual([model, messages.map((each) => each.role)], [name, ['user']]);
  await view.keyboard.press('Escape');
  await details.getByRole('button', { name: 'Chat with it' }).click();
  await view.waitForURL(/#\/chat$/);
  await view.getByText('What shall we think about?').waitFor();
  assert.deepEqual(view.problems, []);
});

test('a model is loaded and unloaded, which another window sees', async () => {
  const [view, second] = [await models(), await models()];
  const loaded = async () => (await get('/api/ps')).models.map((each) => each.name);
  await view.getByRole('button', { name: 'Load', exact: true }).click();
  await view.getByRole('button', { name: 'Unload' }).waitFor();
  assert.deepEqual(await loaded(), [name]);
  await second.getByText('loaded', { exact: true }).waitFor();
  await second.getByRole('button', { name: 'Unload' }).click();
  await view.getByRole('button', { name: 'Load', exact: true }).waitFor();
  assert.deepEqual(await loaded(), []);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('a smaller model is made by the keyboard alone', async () => {
  const view = await models({}, name);
  const second = await models();
  await view.getByLabel('Smaller weights as').locator('option', { hasText: 'Q8_0' }).waitFor({ state: 'attached' });
  await view.getByLabel('Smaller weights as').focus();
  await view.keyboard.type('Q8_0');
  await view.keyboard.press('Tab');
  await view.keyboard.press('Control+a');
  await view.keyboard.type('tiny:q8');
  await view.keyboard.press('Enter');
  await second.getByRole('link', { name: 'tiny:q8' }).waitFor();
  const facts = await get('/api/v1/models/tiny:q8');
  assert.equal(facts.parent, name);
  assert.equal(facts.quantisation, 'Q8_0');
  assert.ok(facts.bits_per_weight < 12, String(facts.bits_per_weight));
  await view.keyboard.press('Enter'); // the name is taken now
  await view.getByRole('alert').getByText(/there is a model/).waitFor();
  assert.equal(view.problems.length, 1); // the browser's own line of a refused request
  assert.match(view.problems[0], /409/);
  assert.deepEqual(second.problems, []);
});

test('a model that is quantised already is not offered smaller weights, and the page says why', async () => {
  const view = await models({}, 'tiny:q8');
  await view.getByText(/^\d+ % of its weights are quantised already/).waitFor();
  assert.equal(await view.getByLabel('Smaller weights as').count(), 0);
  assert.deepEqual(view.problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe with a model, a job and the hub's answer, ${colorScheme}`, async () => {
    const view = await models({ colorScheme }, name);
    await view.getByLabel('Smaller weights as').waitFor();
    await search(view, 'tiny');
    await view.getByRole('button', { name: 'own/Tiny-GGUF', exact: true }).click();
    await view.getByRole('button', { name: 'Download Tiny-F32.gguf' }).waitFor();
    await view.getByText('finished').first().waitFor();
    assert.deepEqual(await axe(view), []);
    assert.deepEqual(view.problems, []);
  });
}

test('a download that is given up leaves nothing', async () => {
  const view = await models();
  await view.getByRole('button', { name: `Delete ${name}` }).click();
  await view.getByText(`Delete “${name}” for good?`).waitFor();
  assert.ok(await get(`/api/v1/models/${name}`).then((facts) => facts.files));
  await view.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await view.getByRole('link', { name }).waitFor({ state: 'detached' });
  hub.hold();
  await choose(view);
  await until(() => partial()[0] === tiny.length >> 1);
  await view.getByRole('button', { name: /^Give up/ }).click();
  await until(() => partial().length === 0);
  assert.ok(!(await get('/api/v1/jobs')).data.some((job) => job.kind === 'pull'));
  assert.ok(!(await get('/api/tags')).models.some((each) => each.name === name));
  assert.deepEqual(view.problems, []);
  hub.release();
});

test('what a killed server had of a download is used by the next', async () => {
  const view = await models();
  hub.hold();
  await choose(view);
  await until(() => partial()[0] === tiny.length >> 1);
  await server.kill();
  hub.release();
  const before = hub.asked.length;
  await server.start();
  const again = await models();
  await choose(again);
  await again.getByRole('link', { name }).waitFor();
  assert.ok(hub.asked.slice(before).some(({ range }) => range === `bytes=${tiny.length >> 1}-`));
  assert.deepEqual(again.problems, []);
});

test('offline it is said, and nobody is asked', async () => {
  const alone = await new Server(null, [], { HF_ENDPOINT: hub.address, STRATA_OFFLINE: '1' }).start();
  const before = hub.asked.length;
  const view = await open(browser, alone);
  await view.goto(`${alone.address}/#/models`);
  await view.getByText('Offline: the hub is not asked').waitFor();
  assert.ok(await view.getByRole('button', { name: 'Download smollm2:135m' }).isDisabled());
  assert.equal(await view.getByRole('searchbox', { name: 'Name of a model' }).count(), 0);
  assert.equal((await fetch(`${alone.address}/api/v1/hub/models?search=tiny`)).status, 400);
  assert.equal(hub.asked.length, before);
  assert.deepEqual(view.problems, []);
  alone.close();
});

test.after(async () => {
  await end();
  hub.close();
});
