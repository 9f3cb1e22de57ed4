// The chat page in a browser against the real server: what stands in answers, what is done with
// conversations, and what is kept of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { answers, axe, begin, done, open, say, until } from './harness.mjs';

const { server, browser, end } = await begin();
const { get } = server;
const window = (options) => open(browser, server, options);
const threads = async () => (await get('/api/v1/conversations')).data;
const thread = (id) => get(`/api/v1/conversations/${id}`);
const make = async (body) => (await fetch(`${server.address}/api/v1/conversations`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
const change = (id, what) => fetch(`${server.address}/api/v1/conversations/${id}`, {
  method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) });
const show = (view, id) => view.goto(`${server.address}/#/chat/${id}`);
const dialogue = (question, answer) => [{ text: question }, { role: 'assistant', text: answer }];
const json = (name, value) =>
  ({ name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(value)) });

test('formulas, code and diagrams are drawn; what is none stays text', async () => {
  const view = await window();
  const calls = [{ id: 'c', name: 'look_up', arguments: '{"word":"rye"}', output: 'a grain' }];
  const made = await make({ messages: [{ text: 'call' }, { role: 'assistant', text: 'wait', data: { calls } }, ...dialogue('draw', [
    'Here is $a^2$ and \\(b\\), for $5 and $6, and $$\\boxed{c}$$', '\\[\\frac{1}{2}\\]', '$\\nonsense{$',
    '```python\nprint(1)\n```', '```mermaid\nflowchart LR\n  a --> b\n```', '```mermaid\nno diagram\n```',
  ].join('\n\n'))] });
  await show(view, made.id);
  await view.locator('iframe[data-drawn]').waitFor();
  await view.locator('.hljs-built_in').waitFor();
  await view.locator('iframe').nth(1).waitFor({ state: 'detached' });
  assert.equal(await view.locator('.math > code').innerText(), '\\nonsense{');
  await view.locator('.katex').nth(3).waitFor();
  assert.equal(await view.locator('.katex').count(), 4);
  assert.match(await answers(view).last().innerText(), /for \$5 and \$6/);
  assert.equal(await view.locator('iframe').getAttribute('sandbox'), 'allow-scripts');
  assert.equal(await view.frames()[1].evaluate(() => globalThis.origin), 'null');
  await view.getByRole('button', { name: 'Source' }).first().click();
  await view.getByText('a --> b').waitFor();
  await view.getByText('look_up').click();
  await view.getByText('"word": "rye"').waitFor();
  await view.getByText('a grain').waitFor();
  assert.deepEqual(await axe(view), []);
  assert.deepEqual(view.problems, []);
});

test('a version that was not shown before is drawn as Markdown, too', async () => {
  const view = await window();
  const { id } = await make({ messages: [{ text: 'hello' },
    { role: 'assistant', text: '**first**', parent: 0 }, { role: 'assistant', text: '**second**', parent: 0 }] });
  await show(view, id);
  await answers(view).locator('strong', { hasText: 'second' }).waitFor();
  await answers(view).getByRole('button', { name: 'Previous' }).click();
  await answers(view).locator('strong', { hasText: 'first' }).waitFor();
  await view.goto(server.address);
  await say(view, 'say **it**'); // both come in pieces
  await done(view);
  await view.getByRole('button', { name: 'Again' }).click();
  await answers(view).getByText('2/2').waitFor();
  await done(view);
  await answers(view).getByRole('button', { name: 'Previous' }).click();
  await answers(view).getByText('1/2').waitFor();
  await answers(view).locator('strong').waitFor();
  assert.deepEqual(view.problems, []);
});

test('an answer is made again and copied, as are its code and the request', async () => {
  const view = await window({ permissions: ['clipboard-read', 'clipboard-write'] });
  await view.goto(server.address);
  await view.getByRole('button', { name: 'Settings' }).click();
  await view.getByLabel('System prompt').fill('Be kind.');
  await view.getByLabel('Temperature').fill('0.5');
  await view.keyboard.press('Escape');
  await say(view, 'say\n```js\nlet a = 1;\n```');
  await done(view);
  await view.getByRole('button', { name: 'Again' }).click();
  await answers(view).getByText('2/2').waitFor();
  await done(view);
  const id = view.url().split('/').at(-1);
  const { messages, settings } = await thread(id);
  assert.deepEqual(messages.slice(1).map((each) => [each.parent, each.status]), [[messages[0].id, 'done'], [messages[0].id, 'done']]);
  assert.deepEqual(settings, { system: 'Be kind.', temperature: 0.5 });
  const copied = () => view.evaluate(() => navigator.clipboard.readText());
  await answers(view).getByRole('button', { name: 'Copy', exact: true }).last().click();
  await answers(view).getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await copied(), messages[2].text);
  await answers(view).locator('.listing').getByRole('button', { name: 'Copy' }).click();
  await answers(view).locator('.listing').getByText('Copied').waitFor();
  assert.equal(await copied(), 'let a = 1;\n');
  await answers(view).getByRole('button', { name: 'Copy as code' }).click();
  const [, code] = /<<'JSON'\n(.*)\nJSON\n/s.exec(await view.getByRole('dialog').locator('pre').innerText());
  assert.deepEqual(JSON.parse(code), { model: 'demo', messages: [{ role: 'system', content: 'Be kind.' },
    { role: 'user', content: messages[0].text }], temperature: 0.5 });
  await view.keyboard.press('Escape');
  const other = await window();
  await show(other, id);
  await answers(other).getByText('2/2').waitFor();
  await other.getByRole('button', { name: 'Previous version' }).click();
  await answers(view).getByText('1/2').waitFor();
  assert.deepEqual([...view.problems, ...other.problems], []);
});

for (const where of ['kept', 'temporary']) {
  test(`a tool is called, what it gave back is said, and both are shown: ${where}`, async () => {
    const view = await window();
    await view.goto(`${server.address}/#/chat${where === 'temporary' ? '/temporary' : ''}`);
    await view.getByText('What shall we think about?').waitFor();
    await view.getByRole('button', { name: 'Settings' }).click();
    const field = view.getByLabel('Tools (JSON)');
    await field.fill('{"type": "function"}');
    await field.press('Tab');
    await view.getByText('This is no list of tools.').waitFor();
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
    await field.fill(JSON.stringify(tools));
    await field.press('Tab');
    await view.keyboard.press('Escape');
    await say(view, 'how is the weather?');
    const call = answers(view).first();
    await call.getByText('"city": "Bern"').waitFor();
    await call.getByLabel('Output: weather').fill('sunny <b>and</b> warm');
    assert.deepEqual(await axe(view), []);
    await view.keyboard.press('Tab');
    await view.keyboard.press('Enter'); // the keyboard alone
    await view.getByText('It is sunny <b>and</b> warm.').waitFor();
    await done(view);
    await answers(view).last().getByRole('button', { name: 'Copy as code' }).click();
    const [, code] = /<<'JSON'\n(.*)\nJSON\n/s.exec(await view.getByRole('dialog').locator('pre').innerText());
    const asked = JSON.parse(code);
    const [given] = asked.messages[1].tool_calls;
    assert.deepEqual({ ...asked, messages: asked.messages.slice(2) },
      { model: 'demo', tools, messages: [{ role: 'tool', tool_call_id: given.id, content: 'sunny <b>and</b> warm' }] });
    assert.deepEqual(given.function, { name: 'weather', arguments: '{"city":"Bern"}' });
    await view.keyboard.press('Escape');
    if (where === 'kept') {
      const id = view.url().split('/').at(-1);
      const { messages, settings } = await thread(id);
      assert.deepEqual(settings.tools, tools);
      assert.equal(messages[1].data.calls[0].output, 'sunny <b>and</b> warm');
      assert.equal(messages[2].parent, messages[1].id);
      const other = await window();
      await show(other, id);
      await other.getByText('weather', { exact: true }).click();
      await other.getByText('"city": "Bern"').waitFor();
      await other.getByText('sunny <b>and</b> warm', { exact: true }).waitFor();
      assert.deepEqual(other.problems, []);
    }
    assert.deepEqual(view.problems, []);
  });
}

test('a conversation is renamed, pinned, put in a folder, archived and deleted', async () => {
  const [first, second] = [await window(), await window()];
  const made = await make({ title: 'old name', messages: dialogue('q', 'a') });
  for (const view of [first, second]) await show(view, made.id);
  const row = (view, name) => view.getByRole('complementary').locator('li', { hasText: name });
  const pick = async (name, action) => {
    await first.getByRole('button', { name: `Actions for “${name}”` }).click();
    await first.locator(':popover-open').getByRole('button', { name: action }).click();
  };
  await row(first, 'old name').waitFor();
  // By the arrows: into the menu, whose entries stand one below the other, and round.
  await first.getByRole('button', { name: 'Actions for “old name”' }).focus();
  const entries = first.locator(':popover-open').getByRole('button');
  const focused = () => first.evaluate(() => document.activeElement.textContent);
  for (const [key, entry] of [['ArrowDown', 'Rename'], ['ArrowDown', 'Pin'], ['ArrowUp', 'Rename'], ['ArrowUp', 'Delete']]) {
    await first.keyboard.press(key);
    assert.equal(await focused(), entry);
  }
  const places = await entries.evaluateAll((all) => all.map((each) => each.getBoundingClientRect()).map(({ left, top, width }) => ({ left, top, width })));
  assert.ok(places.every(({ left, top, width }, i) => width < 320 && left === places[0].left && (i === 0 || top > places[i - 1].top)), JSON.stringify(places));
  assert.ok(await first.locator(':popover-open').evaluate((sheet) => sheet.clientWidth - sheet.firstElementChild.clientWidth < 16));
  await first.keyboard.press('Escape');
  await pick('old name', 'Rename');
  await first.getByRole('textbox', { name: 'Rename' }).fill('new name');
  await first.keyboard.press('Enter');
  await row(second, 'new name').waitFor();
  await pick('new name', 'Move to folder');
  await first.getByRole('combobox', { name: 'Folder' }).fill('Work');
  await first.keyboard.press('Enter');
  await second.getByRole('complementary').locator('summary', { hasText: 'Work' }).waitFor();
  await pick('new name', 'Pin');
  await second.getByRole('complementary').locator('summary', { hasText: 'Pinned' }).waitFor();
  const kept = await thread(made.id);
  assert.deepEqual([kept.title, kept.folder, kept.pinned], ['new name', 'Work', true]);
  await pick('new name', 'Archive');
  for (const view of [first, second]) await row(view, 'new name').waitFor({ state: 'detached' });
  assert.equal((await thread(made.id)).archived, true);
  await first.getByRole('button', { name: 'Archive', pressed: false }).click();
  const sure = first.getByRole('dialog');
  await pick('new name', 'Delete');
  await sure.getByText('Delete “new name” for good?').waitFor();
  await first.keyboard.press('Enter'); // what is in focus takes nothing away
  await sure.waitFor({ state: 'detached' });
  assert.equal((await thread(made.id)).title, 'new name');
  await pick('new name', 'Delete');
  await sure.waitFor();
  assert.deepEqual(await axe(first), []);
  await sure.getByRole('button', { name: 'Delete' }).click();
  await row(first, 'new name').waitFor({ state: 'detached' });
  assert.equal((await thread(made.id)).error.code, 'not_found');
  await second.waitForURL(/#\/chat$/);
  assert.deepEqual([...first.problems, ...second.problems], []);
});

test('what the menu of an open conversation has is in the commands, too', async () => {
  const view = await window({ viewport: { width: 420, height: 800 } });
  const made = await make({ title: 'by words', messages: dialogue('q', 'a') });
  await show(view, made.id);
  await view.getByRole('heading', { name: 'by words' }).waitFor();
  const command = async (name) => {
    await view.keyboard.press('Control+K');
    await view.getByRole('dialog').getByRole('combobox').fill(name);
    await view.getByRole('dialog').getByRole('option', { name, exact: true }).waitFor();
    await view.keyboard.press('Enter');
  };
  await command('Pin');
  await until(async () => (await thread(made.id)).pinned);
  await command('Rename'); // in the list, which a narrow window puts away
  await view.getByRole('complementary').getByRole('textbox', { name: 'Rename' }).and(view.locator(':focus')).waitFor();
  await view.getByRole('complementary').getByText('Pinned', { exact: true }).waitFor();
  await view.keyboard.type('by ot');
  await change(made.id, { pinned: false });
  await view.getByRole('complementary').getByText('Pinned', { exact: true }).waitFor({ state: 'detached' });
  await view.keyboard.type('her words');
  await view.keyboard.press('Enter');
  await view.getByRole('heading', { name: 'by other words' }).waitFor();
  await view.keyboard.press('Control+Shift+S');
  await command('Delete');
  await view.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await view.waitForURL(/#\/chat$/);
  assert.equal((await thread(made.id)).error.code, 'not_found');
  assert.deepEqual(view.problems, []);
});

test('an answer says who stopped it, with the figures that there are', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await view.keyboard.press('Escape');
  await view.getByText('You stopped it').waitFor();
  await answers(view).getByText(/demo · first after/).waitFor();
  await view.reload();
  await view.getByText('This answer was cut.', { exact: true }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('a search that finds nothing says so', async () => {
  const view = await window();
  await make({ title: 'a needle', messages: dialogue('q', 'a') });
  await view.goto(server.address);
  const list = view.getByRole('complementary');
  await list.getByRole('searchbox').fill('needle');
  await list.getByRole('link', { name: 'a needle' }).waitFor();
  await list.getByRole('searchbox').fill('haystack');
  await list.getByText('Nothing found').waitFor();
  assert.equal(await list.locator('summary').count(), 0);
  assert.deepEqual(await axe(view), []);
  assert.deepEqual(view.problems, []);
});

test('of two searches the last one is shown, whichever is answered first', async () => {
  const view = await window();
  for (const title of ['a first thing', 'a second thing']) await make({ title, messages: dialogue('q', 'a') });
  await view.goto(server.address);
  const list = view.getByRole('complementary');
  await list.getByRole('link', { name: 'a first thing' }).waitFor();
  const held = new Map();
  await view.route(/conversations\?query=first/, async (route) => {
    await new Promise((go) => held.set(new URL(route.request().url()).searchParams.has('limit'), go));
    await route.continue();
  });
  const late = async (release) => {
    const came = view.waitForResponse((each) => each.url().includes('query=first'));
    release();
    await (await came).finished();
  };
  await list.getByRole('searchbox').fill('first');
  await until(() => held.has(false));
  await list.getByRole('searchbox').fill('second');
  await list.getByRole('link', { name: 'a first thing' }).waitFor({ state: 'detached' });
  await late(held.get(false));
  await view.evaluate(() => new Promise((next) => setTimeout(next, 50)));
  assert.equal(await list.getByRole('link', { name: 'a first thing' }).count(), 0);
  await list.getByRole('searchbox').fill('');
  await view.keyboard.press('Control+K');
  const menu = view.getByRole('dialog');
  await menu.getByRole('combobox').fill('first');
  await until(() => held.has(true));
  await menu.getByRole('combobox').fill('second');
  await menu.getByRole('option', { name: 'a first thing' }).waitFor({ state: 'detached' });
  await menu.getByRole('option', { name: 'a second thing' }).waitFor();
  await late(held.get(true));
  await view.evaluate(() => new Promise((next) => setTimeout(next, 50)));
  assert.equal(await menu.getByRole('option', { name: 'a first thing' }).count(), 0);
  assert.deepEqual(view.problems, []);
});

test('a link shows what was shared and no more, until it is ended', async () => {
  const view = await window();
  const made = await make({ title: 'for you', settings: { system: 'secret wish' }, messages: dialogue('ask', 'told') });
  await show(view, made.id);
  await view.getByRole('button', { name: 'Share' }).click();
  await view.getByRole('button', { name: 'Make a link' }).click();
  const link = await view.getByRole('textbox', { name: 'Link' }).inputValue();
  await view.getByText('This address opens only on this machine').waitFor();
  await view.keyboard.press('Escape');
  await say(view, 'said later');
  await done(view, 1);
  const reader = await window();
  await reader.goto(link);
  await reader.getByText('told').waitFor();
  assert.equal(await reader.locator('article').count(), 2);
  assert.equal(await reader.getByRole('textbox').count(), 0);
  const shown = await get(`/api/v1/shared/${link.split('/').at(-1)}`);
  assert.doesNotMatch(JSON.stringify(shown), /secret|later|thread_/);
  assert.deepEqual(await axe(reader), []);
  await view.getByRole('button', { name: 'Share' }).click();
  await view.getByRole('button', { name: 'End the link' }).click();
  await view.getByRole('button', { name: 'Make a link' }).waitFor();
  await reader.reload();
  await reader.getByRole('alert').getByText('This link has ended, or there never was one.').waitFor();
  assert.deepEqual(await axe(reader), []);
  assert.deepEqual(view.problems, []);
});

test('an address that names no page is corrected; a page asks for nothing that is meant for another', async () => {
  const view = await window();
  const asked = [];
  view.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const made = await make({ title: 'a', messages: dialogue('q', 'a') });
  await view.goto(`${server.address}/#/nonsense`);
  await view.waitForURL(/#\/chat$/);
  await view.getByText('What shall we think about?').waitFor();
  await view.goto(`${server.address}/#/nonsense/share_bad`);
  await view.waitForURL(/#\/chat$/);
  await view.getByText('What shall we think about?').waitFor();
  assert.deepEqual(view.problems, []);
  for (let i = 0; i < 2; i++) {
    await view.goto(`${server.address}/#/shared/share_bad`);
    await view.getByText('This link has ended, or there never was one.').waitFor();
    await show(view, made.id);
    await done(view);
  }
  assert.ok(!asked.includes('/api/v1/conversations/share_bad') && !asked.includes(`/api/v1/shared/${made.id}`), asked.join(' '));
  assert.deepEqual(view.problems.filter((each) => !each.includes('404')), []);
});

test('a temporary chat is kept nowhere', async () => {
  const view = await window();
  const before = (await threads()).length;
  await view.goto(`${server.address}/#/chat/temporary`);
  await view.getByText('Nothing of this chat is kept.').waitFor();
  await say(view, 'a passing thought');
  await done(view);
  await say(view, 'slowly now');
  await view.getByText('word3').waitFor();
  await view.getByRole('button', { name: 'Stop' }).click();
  await view.getByText('This answer was cut.').waitFor();
  assert.equal(await view.locator('article').count(), 4);
  assert.equal((await threads()).length, before);
  assert.equal((await get('/api/v1/conversations?query=passing')).data.length, 0);
  assert.equal((await get('/v1/chat/completions')).data.length, 0);
  await view.reload();
  await view.getByText('Nothing of this chat is kept.').waitFor();
  assert.equal(await view.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]).includes('passing')), false);
  assert.deepEqual(view.problems, []);
});

test('exports of OpenAI and Open WebUI are imported with their branches; our own comes back whole', async () => {
  const view = await window();
  await view.goto(server.address);
  const picker = view.getByRole('complementary').locator('input[type=file]');
  const node = (id, parent, role, text) => [id, { id, parent, message: role && {
    author: { role }, content: { content_type: 'text', parts: [text] } } }];
  await picker.setInputFiles(json('conversations.json', [{ title: 'from one', current_node: 'd', mapping: Object.fromEntries([
    node('r', null, ''), node('s', 'r', 'system', 'be kind'), node('a', 's', 'user', 'which?'),
    node('b', 'a', 'assistant', 'this'), node('c', 'a', 'assistant', 'that'), node('d', 'b', 'user', 'why?'),
    ['t', { id: 't', parent: 'd', message: { author: { role: 'assistant' }, recipient: 'python', content: { content_type: 'code', text: '1 + 1' } } }],
    ['u', { id: 'u', parent: 't', message: { author: { role: 'tool', name: 'python' }, content: { content_type: 'execution_output', text: '2' } } }],
    node('v', 'u', 'assistant', 'two'),
  ]) }, { no: 'conversation' }]));
  await view.getByText('Conversations imported: 1. Entries that are no conversation: 1.').waitFor();
  const one = await thread((await threads()).find((each) => each.title === 'from one').id);
  const by = Object.fromEntries(one.messages.map((each) => [each.text, each]));
  assert.deepEqual(Object.keys(by).sort(), ['', 'that', 'this', 'two', 'which?', 'why?']);
  assert.deepEqual(by[''].data.calls, [{ id: 't', name: 'python', arguments: '1 + 1', output: '2' }]);
  assert.deepEqual([by[''].parent, by['two'].parent], [by['why?'].id, by[''].id]);
  assert.equal(by['this'].parent, by['which?'].id);
  assert.equal(by['that'].parent, by['which?'].id);
  assert.equal(one.leaf, by['why?'].id);

  await picker.setInputFiles(json('chat-export.json', [{ title: 'from two', chat: { title: 'from two', history: {
    currentId: 'y', messages: { x: { id: 'x', parentId: null, role: 'user', content: 'hi', childrenIds: ['y'] },
      y: { id: 'y', parentId: 'x', role: 'assistant', content: 'there', childrenIds: [] } } } } }]));
  await view.getByRole('heading', { name: 'from two' }).waitFor();
  const two = (await threads()).find((each) => each.title === 'from two');
  assert.deepEqual((await thread(two.id)).messages.map((each) => each.text), ['hi', 'there']);

  const exported = async (name, action) => {
    const waits = view.waitForEvent('download');
    await view.getByRole('button', { name: `Actions for “${name}”` }).click();
    await view.getByRole('button', { name: action }).click();
    return readFileSync(await (await waits).path(), 'utf8');
  };
  assert.equal(await exported('from two', 'Export as Markdown'), '# from two\n\n## You\n\nhi\n\n## Assistant\n\nthere\n');
  const whole = await exported('from one', 'Export as JSON');
  await fetch(`${server.address}/api/v1/conversations/${one.id}`, { method: 'DELETE' });
  await picker.setInputFiles(json('own.json', JSON.parse(whole)));
  await view.getByRole('heading', { name: 'from one' }).waitFor();
  const again = await thread((await threads()).find((each) => each.title === 'from one').id);
  assert.deepEqual(again.messages.map((each) => [each.text, each.data]), one.messages.map((each) => [each.text, each.data]));
  assert.equal(again.messages.find((each) => each.id === again.leaf).text, 'why?');

  const before = (await threads()).length;
  for (const [name, text] of [['x.md', '# from two'], ['x.json', '{}'], ['y.json', '[{"no": "conversation"}]']]) {
    await picker.setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
    await view.getByRole('alert').getByText(/OpenAI and Open WebUI/).waitFor();
    await view.getByRole('alert').getByRole('button', { name: 'Close' }).click();
  }
  assert.equal((await threads()).length, before);
  assert.equal(await view.getByRole('status').getByText('imported: 0').count(), 0);
  assert.deepEqual(view.problems, []);
});

test('text files go along with a message, others are refused by their content', async () => {
  const view = await window();
  await view.goto(server.address);
  const picker = view.getByRole('main').locator('input[type=file]');
  const file = (name, content) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(content) });
  await picker.setInputFiles([file('a.csv', 'x,y\n1,2'), file('b.py', 'print("```")'), file('picture.txt', Buffer.from([0xff, 0xd8, 0])),
    file('large.txt', 'x'.repeat(300_000))]);
  const refused = await view.getByRole('alert').innerText();
  assert.match(refused, /picture\.txt is neither text, PDF nor DOCX\..*large\.txt is larger/s);
  await say(view, 'sum these up');
  await done(view);
  const [made] = await threads();
  assert.equal(made.title, 'sum these up');
  const [question] = (await thread(made.id)).messages;
  assert.equal(question.text, 'sum these up\n\na.csv:\n```csv\nx,y\n1,2\n```\n\nb.py:\n````py\nprint("```")\n````');
  const other = await window();
  await show(other, made.id);
  const asked = other.locator('article[data-role=user]');
  await asked.getByText('a.csv').click();
  await asked.getByText('x,y').waitFor();
  assert.doesNotMatch(await asked.innerText(), /b\.py:/);
  assert.deepEqual(other.problems, []);
});

test('what is sent meanwhile waits; a draft is kept; a cut answer goes on; thinking is folded', async () => {
  const view = await window();
  await view.goto(server.address);
  await view.getByRole('textbox', { name: 'Message' }).pressSequentially('not yet');
  await view.reload();
  assert.equal(await view.getByRole('textbox', { name: 'Message' }).inputValue(), 'not yet');
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await say(view, 'please think first');
  await view.getByText('please think first').waitFor();
  assert.equal(await view.locator('article').count(), 2);
  await view.keyboard.press('Escape');
  const thought = answers(view).nth(1);
  await thought.getByText('Thinking').click();
  await thought.getByText('I <i>think</i> about it').waitFor();
  await say(view, 'stop early');
  await view.getByText('the first half').waitFor();
  await answers(view).nth(2).getByRole('button', { name: 'Continue' }).click();
  await view.getByText(/the first half\s*the first half/).waitFor();
  const id = view.url().split('/').at(-1);
  await view.getByRole('textbox', { name: 'Message' }).pressSequentially('half a');
  const other = await window();
  await until(async () => (await thread(id)).draft === 'half a');
  await show(other, id);
  await other.locator('article').nth(5).waitFor();
  assert.equal(await other.getByRole('textbox', { name: 'Message' }).inputValue(), 'half a');
  assert.equal(await other.getByRole('meter').getAttribute('aria-valuemax'), '4096');
  assert.deepEqual(view.problems, []);
});

test('everything is reached by keyboard; Hebrew runs from the right', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'שלום עולם');
  await done(view);
  for (const place of [view.locator('article[data-role=user] > div').first(), answers(view).locator('.prose p')]) {
    assert.equal(await place.evaluate((node) => getComputedStyle(node).direction), 'rtl');
  }
  await view.keyboard.press('Control+k');
  await view.keyboard.type('serv');
  await view.keyboard.press('Enter');
  await view.waitForURL(/#\/server$/);
  await view.keyboard.press('Control+k');
  await view.keyboard.type('שלום');
  await view.getByRole('option', { name: 'שלום עולם' }).waitFor();
  assert.deepEqual(await axe(view), []);
  await view.keyboard.press('Enter');
  await view.waitForURL(/thread_/);
  await view.waitForFunction(() => document.title === 'שלום עולם · Strata');
  await view.keyboard.press('Control+k');
  await view.keyboard.type('theme: dark');
  await view.keyboard.press('Enter');
  assert.equal(await view.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
  await view.keyboard.press('Control+Shift+O');
  await view.waitForFunction(() => location.hash === '#/chat');
  assert.deepEqual(view.problems, []);
});

test('a language is chosen in a word of any, stays chosen, writes numbers, and takes nothing away', async () => {
  const view = await window();
  await view.goto(`${server.address}/#/chat/temporary`);
  await say(view, 'a passing thought');
  await done(view);
  const pick = async (words, option) => {
    await view.keyboard.press('Control+k');
    await view.getByRole('combobox', { expanded: true }).fill(words);
    await view.getByRole('option', { name: option }).click();
  };
  await pick('sprache', 'Language: Deutsch');
  await view.getByRole('link', { name: 'Modelle' }).waitFor();
  await view.locator('article').getByText('a passing thought').first().waitFor();
  await view.getByText(/\d,\d Tokens\/s/).waitFor();
  assert.equal(await view.evaluate(() => document.documentElement.lang), 'de');
  await view.goto(`${server.address}/#/models`);
  await view.reload();
  await view.getByText(/\d,\d\sGB Arbeitsspeicher/).first().waitFor();
  await pick('language', 'Sprache: wie der Browser');
  await view.getByText(/\d\.\d GB of memory/).first().waitFor();
  assert.equal(await view.evaluate(() => localStorage.getItem('language')), null);
  assert.deepEqual(view.problems, []);
});

test('it can be installed, opens without the server, and keeps no answer', async () => {
  const view = await window({ serviceWorkers: 'allow' });
  const made = await make({ title: 'kept where?', messages: dialogue('a', 'b') });
  await show(view, made.id);
  await done(view);
  await view.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await view.reload();
  await done(view);
  const kept = await view.evaluate(async () => {
    const all = [];
    for (const name of await caches.keys()) {
      for (const each of await (await caches.open(name)).keys()) all.push(new URL(each.url).pathname);
    }
    return all;
  });
  assert.ok(kept.includes('/'));
  assert.ok(kept.every((path) => path === '/' || path.startsWith('/assets/')), kept.join(' '));
  assert.deepEqual(view.problems, []);
  const manifest = await get('/manifest.webmanifest');
  for (const { src, type } of manifest.icons) {
    assert.equal((await fetch(server.address + src)).headers.get('content-type'), type);
  }
  await view.context().setOffline(true);
  await view.reload();
  await view.getByRole('alert').waitFor();
});

test.after(end);
