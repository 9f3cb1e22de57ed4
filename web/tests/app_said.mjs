// What is said in a chat: it goes where it was meant to, once and in its order, and what cannot be said is
// not lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answers, begin, done, open, say, until } from './harness.mjs';

const { server, browser, end } = await begin();
const { get } = server;
const window = (options) => open(browser, server, options);
const thread = (id) => get(`/api/v1/conversations/${id}`);
const make = async (body) => (await fetch(`${server.address}/api/v1/conversations`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
const remove = (id) => fetch(`${server.address}/api/v1/conversations/${id}`, { method: 'DELETE' });
const show = (view, id) => view.goto(`${server.address}/#/chat/${id}`);
const dialogue = (question, answer) => [{ text: question }, { role: 'assistant', text: answer }];
const idOf = (view) => view.url().split('/').at(-1);
// What the browser tells of a request that was refused is no fault of the page.
const faults = (view) => view.problems.filter((each) => !/Failed to load resource/.test(each));
// Holds requests, until it is called, and lets them go on.
async function hold(view, url, method = 'GET') {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route(url, async (route) => {
    if (route.request().method() === method) await held;
    await route.continue();
  });
  return release;
}

const goTo = (view, id) => view.evaluate((hash) => (location.hash = hash), `#/chat/${id}`);
const field = (view) => view.getByRole('textbox', { name: 'Message' });
const title = (view, text) => view.getByRole('heading', { name: text }).waitFor();

test('the conversation that was opened last is shown, whichever comes first; nothing said goes elsewhere', async () => {
  const view = await window();
  const [slow, quick] = [await make({ title: 'slow', messages: dialogue('one', 'a') }), await make({ title: 'quick', messages: dialogue('two', 'b') })];
  await view.goto(server.address);
  await field(view).waitFor();
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route(`**/api/v1/conversations/${slow.id}`, async (route) => { await held; await route.continue(); });
  await goTo(view, slow.id);
  await field(view).fill('for the quick one'); // while neither is there
  await goTo(view, quick.id);
  await title(view, 'quick');
  await field(view).fill('for the quick one');
  const came = view.waitForResponse((each) => each.url().endsWith(slow.id));
  release();
  await (await came).finished();
  await title(view, 'quick');
  await field(view).press('Enter');
  await done(view, 1);
  assert.equal((await thread(slow.id)).messages.length, 2);
  assert.equal((await thread(quick.id)).messages[2].text, 'for the quick one');
  assert.deepEqual(view.problems, []);
});

test('what was typed in the moment before the page is closed is kept', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'say it');
  await done(view);
  const id = view.url().split('/').at(-1);
  await field(view).evaluate((input) => {
    input.value = 'in the last moment';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    location.href = 'about:blank';
  });
  await until(async () => (await thread(id)).draft === 'in the last moment');
  assert.deepEqual(view.problems, []);
});

test('what waits to be said, and a draft, stay with their conversation; one that is gone leaves none', async () => {
  const view = await window();
  const other = await make({ title: 'other', messages: dialogue('one', 'a') });
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  const id = view.url().split('/').at(-1);
  await say(view, 'say then');
  await field(view).fill('half a');
  await goTo(view, other.id); // before the draft was kept
  await title(view, 'other');
  assert.equal(await field(view).inputValue(), '');
  assert.equal(await view.getByText('say then').count(), 0);
  await goTo(view, id);
  await title(view, 'slowly');
  await view.getByText('say then').waitFor();
  assert.equal(await field(view).inputValue(), 'half a');
  await view.keyboard.press('Escape');
  await answers(view).nth(1).getByText('then').waitFor();
  assert.equal((await thread(other.id)).messages.length, 2);
  assert.deepEqual(view.problems, []);
  await goTo(view, 'gone');
  await view.getByRole('alert').waitFor();
  await view.getByText('What shall we think about?').waitFor();
  await say(view, 'say anew');
  await done(view);
  assert.notEqual(view.url().split('/').at(-1), 'gone');
  assert.equal((await thread(id)).messages.length, 4);
});

test('what is said while an answer runs follows it, one behind the other', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  for (const each of ['say b', 'say c', 'say d']) await say(view, each);
  assert.equal(await view.getByText('waits', { exact: true }).count(), 3);
  await view.keyboard.press('Escape');
  await answers(view).nth(3).and(view.locator('[data-status=done]')).waitFor();
  const { messages } = await thread(idOf(view));
  assert.deepEqual(messages.map((each) => each.text).filter((_, i) => i !== 1), ['slowly', 'say b', 'say b', 'say c', 'say c', 'say d', 'say d']);
  messages.forEach((each, i) => assert.equal(each.parent, messages[i - 1]?.id ?? ''));
  assert.deepEqual(view.problems, []);
});

test('what waits in a temporary chat follows one behind the other, too, with no settings of the chat before', async () => {
  const view = await window();
  const { id } = await make({ title: 'kind', settings: { system: 'Be kind.' }, messages: dialogue('one', 'a') });
  await show(view, id);
  await title(view, 'kind');
  await goTo(view, 'temporary');
  await view.getByText('Nothing of this chat is kept.').waitFor();
  await view.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await view.getByLabel('System prompt').inputValue(), '');
  await view.keyboard.press('Escape');
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  for (const each of ['say b', 'say c']) await say(view, each);
  await view.keyboard.press('Escape');
  await answers(view).nth(2).and(view.locator('[data-status=done]')).waitFor();
  assert.deepEqual(await view.locator('article[data-role=user]').allInnerTexts(), ['slowly', 'say b', 'say c']);
  assert.deepEqual(view.problems, []);
});

test('a refused answer stops what waits; a draft that was there is kept', async () => {
  const view = await window();
  const { id } = await make({ title: 'refused', messages: dialogue('one', 'a') });
  const patch = (draft) => fetch(`${server.address}/api/v1/conversations/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ draft }) });
  await patch('from another device');
  const release = await hold(view, `**/api/v1/conversations/${id}`);
  await view.goto(`${server.address}/#/chat`);
  await field(view).waitFor();
  await goTo(view, id);
  await field(view).fill('typed early');
  release();
  await title(view, 'refused');
  await until(async () => (await field(view).inputValue()) === 'from another device\n\ntyped early');
  let begin;
  const held = new Promise((resolve) => (begin = resolve));
  await view.route('**/answers', async (route) => { await held; await route.abort(); });
  await say(view, 'say b');
  await field(view).fill('say c');
  await until(async () => (await thread(id)).draft === 'say c'); // before it waits, the server has it
  await field(view).press('Enter');
  begin();
  await view.getByRole('alert').waitFor();
  assert.equal(await field(view).inputValue(), 'say c');
  await goTo(view, '');
  await view.getByText('What shall we think about?').waitFor();
  await goTo(view, id);
  await title(view, 'refused');
  assert.equal(await field(view).inputValue(), 'say c');
  assert.deepEqual((await thread(id)).messages.slice(2).map((each) => each.text), ['say b']);
  assert.deepEqual(faults(view), []);
});

test('two lines said at once are one conversation and one path', async () => {
  const view = await window();
  await view.goto(server.address);
  await field(view).waitFor();
  const before = (await get('/api/v1/conversations')).data.length;
  const release = await hold(view, '**/api/v1/conversations', 'POST');
  await say(view, 'say first');
  await say(view, 'say second');
  release();
  await answers(view).nth(1).and(view.locator('[data-status=done]')).waitFor();
  assert.equal((await get('/api/v1/conversations')).data.length, before + 1);
  const { messages } = await thread(idOf(view));
  assert.deepEqual(messages.map((each) => each.text), ['say first', 'say first', 'say second', 'say second']);
  messages.forEach((each, i) => assert.equal(each.parent, messages[i - 1]?.id ?? ''));
  assert.deepEqual(view.problems, []);
});

test('an answer that is refused is told, and asked for again', async () => {
  const view = await window();
  await view.goto(server.address);
  const set = async (name, value) => {
    await view.getByRole('button', { name: 'Settings' }).click();
    await view.getByLabel(name).fill(value);
    await view.keyboard.press('Enter'); // sends nothing
    await view.keyboard.press('Escape');
  };
  await field(view).fill('say it');
  await set('Temperature', '0.75');
  await set('Longest answer', '0');
  assert.equal(await field(view).inputValue(), 'say it');
  await view.getByRole('button', { name: 'Send' }).click();
  assert.match(await view.getByRole('alert').innerText(), /max_tokens/);
  assert.equal((await thread(idOf(view))).messages.length, 1);
  await set('Longest answer', '100');
  await view.getByRole('button', { name: 'Again' }).click();
  await done(view);
  assert.equal(await view.getByRole('alert').count(), 0);
  const { messages } = await thread(idOf(view));
  assert.deepEqual(messages.map((each) => each.text), ['say it', 'say it']);
  assert.deepEqual([messages[1].data.request.temperature, messages[1].data.request.max_tokens], [0.75, 100]);
  assert.deepEqual(faults(view), []);
});

test('what cannot be said stands in the field again, with its files and what waited for it', async () => {
  const view = await window();
  const { id } = await make({ title: 'a wall', messages: dialogue('one', 'a') });
  await show(view, id);
  await title(view, 'a wall');
  const messages = `**/api/v1/conversations/${id}/messages`;
  let broken = 0, release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route(messages, async (route) => {
    broken += 1;
    await held;
    await route.abort();
  });
  const picker = view.getByRole('main').locator('input[type=file]');
  await picker.setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('inside') });
  await view.getByText('a.txt').waitFor();
  await say(view, 'say this');
  await say(view, 'and that');
  await field(view).fill('half');
  release();
  await view.getByRole('alert').waitFor();
  assert.equal(await field(view).inputValue(), 'say this\n\nand that\n\nhalf');
  await view.getByText('a.txt').waitFor();
  const edited = view.locator('article[data-role=user]');
  await edited.getByRole('button', { name: 'Edit' }).click();
  await edited.getByRole('textbox').fill('other words');
  await edited.getByRole('button', { name: 'Send' }).click();
  await until(() => broken === 2);
  await edited.locator('button:enabled', { hasText: 'Send' }).waitFor();
  assert.equal(await edited.getByRole('textbox').inputValue(), 'other words');
  await view.unroute(messages);
  await edited.getByRole('button', { name: 'Cancel' }).click();
  await field(view).press('Enter');
  await done(view, 1);
  assert.equal((await thread(id)).messages[2].text, 'say this\n\nand that\n\nhalf\n\na.txt:\n```txt\ninside\n```');
  assert.deepEqual(faults(view), []);
});

test('what was asked in one chat is answered there, by its model, whatever is opened meanwhile', async () => {
  const view = await window();
  const [asked, other] = [await make({ title: 'asked', settings: { system: 'Be kind.' }, messages: dialogue('one', 'a') }), await make({ title: 'other' })];
  await show(view, asked.id);
  await title(view, 'asked');
  const release = await hold(view, '**/messages', 'POST');
  await say(view, 'say it there');
  await goTo(view, 'temporary');
  await view.getByText('Nothing of this chat is kept.').waitFor();
  await goTo(view, other.id);
  await title(view, 'other');
  release();
  await goTo(view, asked.id);
  await answers(view).nth(1).and(view.locator('[data-status=done]')).waitFor();
  const { messages } = await thread(asked.id);
  assert.deepEqual(messages.slice(2).map((each) => each.text), ['say it there', 'say it there']);
  assert.equal(messages[3].data.request.system, 'Be kind.');
  assert.equal((await thread(other.id)).messages.length, 0);
  assert.deepEqual(view.problems, []);
});

test('a file that is still read goes to the chat that it was meant for', async () => {
  const view = await window();
  const [first, second] = [await make({ title: 'first' }), await make({ title: 'second' })];
  await show(view, first.id);
  await title(view, 'first');
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route('**/api/v1/documents', async (route) => {
    await held;
    await route.fulfill({ json: { text: 'inside', words: 1, notes: [] } });
  });
  const pdf = (name) => ({ name, mimeType: 'application/pdf', buffer: Buffer.from('%PDF-\0') });
  await view.getByRole('main').locator('input[type=file]').setInputFiles([pdf('a.pdf'), pdf('b.pdf')]);
  await view.getByText('Reading a.pdf').waitFor();
  await goTo(view, second.id);
  await title(view, 'second');
  const read = view.waitForResponse('**/api/v1/documents');
  release();
  await (await read).finished();
  await say(view, 'say nothing of files');
  await done(view);
  assert.equal((await thread(second.id)).messages[0].text, 'say nothing of files');
  await goTo(view, first.id);
  for (const name of ['a.pdf', 'b.pdf']) await view.getByText(name, { exact: true }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('a draft of no conversation yet outlives what is said elsewhere; one typed while another waits is kept, too', async () => {
  const view = await window();
  const { id } = await make({ title: 'elsewhere', messages: dialogue('one', 'a') });
  await view.goto(server.address);
  await field(view).fill('for later');
  await goTo(view, id);
  await title(view, 'elsewhere');
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await say(view, 'say then');
  await field(view).fill('still half'); // the server's draft is emptied by what waits
  await view.keyboard.press('Escape');
  await answers(view).nth(2).and(view.locator('[data-status=done]')).waitFor();
  await until(async () => (await thread(id)).draft === 'still half');
  await view.reload(); // what the window alone keeps
  await title(view, 'elsewhere');
  await goTo(view, '');
  await view.getByText('What shall we think about?').waitFor();
  assert.equal(await field(view).inputValue(), 'for later');
  assert.deepEqual(view.problems, []);
});

test('a chat that is deleted elsewhere is left, also by a window that was hidden; one that fails to open is tried again', async () => {
  const view = await window();
  const [first, second, third] = [await make({ title: 'first' }), await make({ title: 'second' }), await make({ title: 'third', messages: dialogue('one', 'the third') })];
  await view.addInitScript(() => { // what the page itself is told
    globalThis.EventSource = class extends EventSource {
      constructor(place) {
        super(place);
        this.addEventListener('removed', () => (globalThis.told = true));
      }
    };
  });
  await show(view, first.id);
  await title(view, 'first');
  await view.evaluate(() => (location.hash = '#/models'));
  await view.getByRole('navigation').getByRole('link', { name: 'Models' }).and(view.locator('[aria-current]')).waitFor();
  await remove(first.id);
  await view.waitForFunction(() => globalThis.told);
  assert.match(view.url(), /#\/models$/);
  const hidden = (value) => view.evaluate((now) => {
    Object.defineProperty(document, 'hidden', { value: now, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, value);
  await goTo(view, second.id);
  await title(view, 'second');
  await hidden(true);
  await remove(second.id);
  await hidden(false);
  await view.waitForURL(/#\/chat$/);
  assert.deepEqual(faults(view), []);
  const one = `**/api/v1/conversations/${third.id}`;
  await view.route(one, (route) => route.abort());
  await goTo(view, third.id);
  await view.getByRole('alert').waitFor();
  await field(view).fill('not yet');
  await view.unroute(one);
  await view.getByRole('button', { name: 'Again' }).click();
  await view.getByText('the third').waitFor();
  assert.equal(await view.getByRole('alert').count(), 0);
  assert.equal(await field(view).inputValue(), 'not yet');
});

test('a cut answer that was continued while the window was hidden is whole when it is seen again', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'stop early');
  await view.getByText('This answer was cut.').waitFor();
  const id = idOf(view);
  await view.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  const other = await window();
  await show(other, id);
  await answers(other).getByText('the first half').waitFor();
  const before = (await thread(id)).messages[1].text;
  await other.getByRole('button', { name: 'Continue' }).click();
  await until(async () => (await thread(id)).messages[1].text.length > before.length);
  await until(async () => (await thread(id)).messages[1].status !== 'working');
  const { text } = (await thread(id)).messages[1];
  await view.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await answers(view).getByText(text).waitFor();
  assert.deepEqual([...view.problems, ...other.problems], []);
});

test('Escape that closes something ends no answer; the focus stays where a person is', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  const works = view.locator('article[data-status=working]');
  const ended = [];
  view.on('request', (request) => request.url().endsWith('/cancel') && ended.push(request.url()));
  await view.getByRole('button', { name: 'Settings' }).click();
  await view.keyboard.press('Escape');
  await view.getByRole('button', { name: 'Share' }).click();
  await view.getByRole('dialog').waitFor();
  await view.keyboard.press('Escape');
  await view.getByRole('dialog').waitFor({ state: 'detached' });
  const question = view.locator('article[data-role=user]').first();
  await question.getByRole('button', { name: 'Edit' }).click();
  await question.locator('textarea:focus').waitFor();
  await view.keyboard.press('Escape');
  await question.locator('[aria-label=Edit]:focus').waitFor();
  assert.deepEqual(ended, []);
  assert.equal(await works.count(), 1);
  await view.getByRole('button', { name: 'Stop', exact: true }).click();
  await view.getByText('This answer was cut.').waitFor();
  await view.locator('[aria-label=Message]:focus').waitFor();
  await view.getByRole('button', { name: 'Again' }).click();
  await works.waitFor();
  await view.getByRole('button', { name: 'Stop', exact: true }).click();
  await answers(view).getByText('2/2').waitFor();
  await answers(view).getByRole('button', { name: 'Previous' }).focus();
  await view.keyboard.press('Enter');
  await view.locator('[aria-label="Next version"]:focus').waitFor(); // there is none before
  assert.deepEqual(faults(view), []);
});

test('a text too deep to be read as Markdown is shown as it is, and hides no other', async () => {
  const view = await window();
  const deep = '>'.repeat(20_000);
  const { id } = await make({ title: 'deep', messages: [...dialogue('one', deep), ...dialogue('two', '**bold**')] });
  await show(view, id);
  await answers(view).nth(1).locator('strong').waitFor();
  await answers(view).first().getByText('>>>>').waitFor();
  const next = await make({ title: 'next', messages: dialogue('one', '**also**') });
  await goTo(view, next.id);
  await answers(view).locator('strong', { hasText: 'also' }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('a stream of events that was refused is told, and asked for again', async () => {
  const view = await window();
  let refuses = true;
  await view.route('**/api/v1/events', (route) => (refuses ? route.fulfill({ status: 503 }) : route.continue()));
  await view.goto(server.address);
  await view.getByRole('alert').getByText('tells of no changes').waitFor();
  refuses = false;
  await view.getByRole('alert').waitFor({ state: 'detached' });
  await say(view, 'say something');
  await done(view);
  assert.deepEqual(faults(view), []);
});

test('a new chat asks a model that can chat, then the one chosen last; an old one the model that answered', async () => {
  const view = await window();
  await view.route('**/api/tags', async (route) => {
    const { models: [demo] } = await (await route.fetch()).json();
    const model = (name, kind) => ({ ...demo, name, strata: { kind } });
    await route.fulfill({ json: { models: [model('raw', 'base'), demo, model('other', 'chat')] } });
  });
  const chosen = view.getByRole('combobox', { name: 'Model' });
  const is = (name) => until(async () => (await chosen.inputValue()) === name);
  const old = await make({ title: 'old', messages: [{ text: 'one' }, { role: 'assistant', text: 'a', data: { model: 'demo' } }] });
  await view.goto(server.address);
  await is('demo');
  assert.deepEqual(await chosen.locator('option').allInnerTexts(), ['raw (only continues text)', 'demo', 'other']);
  await chosen.selectOption('other');
  await goTo(view, old.id);
  await title(view, 'old');
  await is('demo');
  await view.goto(server.address);
  await view.reload();
  await is('other');
  assert.deepEqual(faults(view), []); // nothing is known of models that are made up
});

test('a server that is gone is told by what starts it, and nothing that was typed is lost', async () => {
  const view = await window();
  await view.goto(server.address);
  await field(view).waitFor();
  await view.context().setOffline(true);
  await say(view, 'say it later');
  await view.getByRole('alert').getByText('strata serve').waitFor();
  assert.equal(await field(view).inputValue(), 'say it later');
  await view.context().setOffline(false);
  await field(view).press('Enter');
  await done(view);
  await view.keyboard.press('Control+K');
  await view.keyboard.press('Escape');
  await view.evaluate(() => (location.hash = '#/server'));
  await view.getByRole('navigation').getByRole('link', { name: 'Server' }).and(view.locator('[aria-current]')).waitFor();
  await view.keyboard.press('Control+Shift+O');
  await view.getByText('What shall we think about?').waitFor();
  assert.deepEqual(faults(view), []);
});

test('what waited for a chat that is deleted stands in the field of a new one, and holds up no window', async () => {
  const view = await window();
  await view.goto(server.address);
  await field(view).fill('for later');
  const { id } = await make({ title: 'to be deleted' });
  await goTo(view, id);
  await title(view, 'to be deleted');
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await say(view, 'say then');
  await remove(id);
  await view.waitForURL(/#\/chat$/);
  await until(async () => (await field(view).inputValue()) === 'say then\n\nfor later');
  let asked = 0;
  view.on('dialog', (dialog) => { asked += 1; void dialog.accept(); });
  await view.reload();
  await until(async () => (await field(view).inputValue()) === 'say then\n\nfor later');
  assert.equal(asked, 0);
  assert.deepEqual(faults(view), []);
});

test('a draft that is kept late does not come back behind what was said', async () => {
  const view = await window();
  const { id } = await make({ title: 'late', messages: dialogue('one', 'a') });
  await show(view, id);
  await title(view, 'late');
  const release = await hold(view, `**/api/v1/conversations/${id}`, 'PATCH');
  const kept = view.waitForRequest((each) => each.method() === 'PATCH');
  await field(view).fill('say it now');
  await kept;
  await field(view).press('Enter');
  await answers(view).nth(1).and(view.locator('[data-status=done]')).waitFor();
  const late = view.waitForResponse((each) => each.request().method() === 'PATCH');
  release();
  await (await late).finished();
  await until(async () => (await thread(id)).draft === '');
  assert.deepEqual(view.problems, []);
});

test('of a draft the newest is kept, however late an older one comes', async () => {
  const view = await window();
  const { id } = await make({ title: 'older', messages: dialogue('one', 'a') });
  await show(view, id);
  await title(view, 'older');
  let first = true, release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route(`**/api/v1/conversations/${id}`, async (route) => {
    if (route.request().method() === 'PATCH' && first) { first = false; await held; }
    await route.continue();
  });
  const kept = view.waitForRequest((each) => each.method() === 'PATCH');
  await field(view).fill('older');
  await kept;
  await field(view).fill('newer');
  await view.evaluate(() => new Promise((resolve) => setTimeout(resolve, 600))); // the newer one is to be kept by now
  const came = view.waitForResponse((each) => each.request().postData()?.includes('older'));
  release();
  await (await came).finished();
  await until(async () => (await thread(id)).draft === 'newer');
  assert.deepEqual(view.problems, []);
});

test('settings that two windows change are those of both', async () => {
  const { id } = await make({ title: 'both', settings: { max_tokens: 50 }, messages: dialogue('one', 'a') });
  const [first, second] = [await window(), await window()];
  for (const view of [first, second]) {
    await show(view, id);
    await title(view, 'both');
    await view.getByRole('button', { name: 'Settings' }).click();
  }
  await second.getByLabel('Temperature').fill('0.5'); // not yet left, and so not kept
  await first.getByLabel('System prompt').fill('Be kind.');
  await first.getByLabel('Temperature').focus();
  await until(async () => (await second.getByLabel('System prompt').inputValue()) === 'Be kind.');
  assert.equal(await second.getByLabel('Temperature').inputValue(), '0.5');
  await second.getByLabel('System prompt').focus();
  await until(async () => (await first.getByLabel('Temperature').inputValue()) === '0.5');
  assert.deepEqual((await thread(id)).settings, { max_tokens: 50, system: 'Be kind.', temperature: 0.5 });
  assert.deepEqual([...first.problems, ...second.problems], []);
});

test('what was set for a new chat stays while another is looked at', async () => {
  const view = await window();
  const { id } = await make({ title: 'another', messages: dialogue('one', 'a') });
  await view.goto(server.address);
  await field(view).waitFor();
  await view.getByRole('button', { name: 'Settings' }).click();
  await view.getByLabel('System prompt').fill('Be brief.');
  await view.keyboard.press('Escape');
  await goTo(view, id);
  await title(view, 'another');
  await goTo(view, '');
  await view.getByText('What shall we think about?').waitFor();
  await say(view, 'say it');
  await done(view);
  const { messages, settings } = await thread(idOf(view));
  assert.deepEqual([settings.system, messages[1].data.request.system], ['Be brief.', 'Be brief.']);
  await goTo(view, '');
  await view.getByText('What shall we think about?').waitFor();
  await view.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await view.getByLabel('System prompt').inputValue(), '');
  assert.deepEqual(view.problems, []);
});

test('Again that is pressed twice is one answer, which what is said meanwhile follows', async () => {
  const view = await window();
  const { id } = await make({ title: 'twice', messages: dialogue('one', 'a') });
  await show(view, id);
  await title(view, 'twice');
  const release = await hold(view, '**/answers', 'POST');
  await view.getByRole('button', { name: 'Again' }).dblclick();
  await say(view, 'say then');
  release();
  await answers(view).nth(1).and(view.locator('[data-status=done]')).waitFor();
  await until(async () => (await thread(id)).messages.every((each) => each.status === 'done'));
  const { messages } = await thread(id);
  assert.deepEqual(messages.map((each) => each.text), ['one', 'a', 'one', 'say then', 'say then']);
  assert.equal(messages[3].parent, messages[2].id);
  assert.deepEqual(view.problems, []);
});

test('who comes back to a running answer asks for it once, however much is told meanwhile', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  const id = idOf(view);
  let asked = 0, release;
  const held = new Promise((resolve) => (release = resolve));
  await view.route(`**/api/v1/conversations/${id}`, async (route) => { asked += 1; await held; await route.continue(); });
  let list;
  const listed = new Promise((resolve) => (list = resolve));
  await view.route('**/api/v1/conversations?*', async (route) => { await listed; await route.continue(); });
  await view.evaluate(() => {
    const events = new EventSource('/api/v1/events');
    let told = 0;
    globalThis.told = () => told;
    events.addEventListener('delta', () => (told += 1));
    globalThis.hide = (value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });
  const more = async (n) => {
    const before = await view.evaluate(() => globalThis.told());
    await until(async () => (await view.evaluate(() => globalThis.told())) > before + n);
  };
  await view.evaluate(() => globalThis.hide(true));
  await more(3); // that this page does not hear
  await view.evaluate(() => globalThis.hide(false));
  await more(5); // before the list is there, which is asked for first
  list();
  await until(() => asked > 0);
  await more(5);
  assert.equal(asked, 1);
  release();
  await until(async () => (await answers(view).innerText()).includes('word40'));
  await view.keyboard.press('Escape');
  await until(async () => (await thread(id)).messages[1].status === 'cut');
  assert.deepEqual(view.problems, []);
});

test('how full the context is, is asked anew when an answer has loaded the model', async () => {
  const view = await window();
  let loaded = [];
  await view.route('**/api/ps', (route) => route.fulfill({ json: { models: loaded } }));
  await view.route('**/api/show', (route) => route.fulfill({ json: { strata: { context: 131072 } } }));
  const { id } = await make({ title: 'full', messages: [{ text: 'one' }, { role: 'assistant', text: 'a', data: { usage: { prompt_tokens: 60, completion_tokens: 40 } } }] });
  await show(view, id);
  await view.getByRole('meter', { name: '131,072' }).waitFor();
  loaded = [{ name: 'demo', context_length: 4096 }];
  await say(view, 'say it');
  await view.getByRole('meter', { name: '4,096' }).waitFor();
  assert.deepEqual(view.problems, []);
});

test.after(end);
