// The playground in a browser against the real server: what the server received, what it stored,
// and what a second person's window sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, begin, open as openWindow } from './harness.mjs';

const { server, browser, end } = await begin({ script: {
  models: [
    { name: 'demo', context: 100000, rules: [
      { contains: 'weather', role: 'user', reply: 'One moment.', reasoning: 'They ask for the weather.',
        calls: [{ name: 'tool_1', arguments: { text: 'Bern' } }] },
      { role: 'tool', reply: 'It is {message}.' },
      { reply: 'You said: {message}' }] },
    { name: 'slow', tokens_per_second: 12, rules: [{ reply: 'word '.repeat(3000) }] },
  ],
} });
async function window(hash, options = {}) {
  const view = await openWindow(browser, server, options);
  await view.goto(`${server.address}/#/${hash}`);
  await view.locator('main h1').first().waitFor();
  if (hash !== 'chat') await field(view, 'temperature').waitFor({ state: 'attached' }); // what it sends by itself is known
  return view;
}
const panel = (view) => view.getByRole('tabpanel');
const done = (view) => view.locator('[role=tabpanel][data-status=done]').waitFor();
const open = (view, part) => view.locator('summary', { hasText: part }).first().click();
const field = (view, name) => view.locator(`#p-${name}`);
const ask = (view, text) => view.getByRole('textbox', { name: 'Message 1' }).fill(text);

// Runs it, and gives what the server received: the browser's own bytes.
async function run(view) {
  const [request] = await Promise.all([
    view.waitForRequest((each) => each.url().endsWith('/v1/chat/completions')),
    view.getByRole('button', { name: 'Run', exact: true }).click(),
  ]);
  return request.postDataJSON();
}
// What the server kept of the newest chat that was asked to be stored.
async function stored() {
  const { data } = await server.get('/v1/chat/completions?order=desc&limit=1');
  const { data: messages } = await server.get(`/v1/chat/completions/${data[0].id}/messages`);
  return { chat: data[0], messages };
}

test('nothing is sent before the parameters are known that were set', async () => {
  const view = await window('playground');
  await open(view, 'Parameters');
  await field(view, 'temperature').fill('0.5');
  await ask(view, 'hi');
  let tell = () => {};
  const held = new Promise((resolve) => (tell = resolve));
  await view.route('**/openapi.json', async (route) => { await held; await route.continue(); });
  await view.getByRole('link', { name: 'Server' }).click();
  await view.getByRole('heading', { name: 'Server', level: 1 }).waitFor();
  await view.getByRole('link', { name: 'Playground' }).click();
  await view.getByRole('button', { name: 'Run', exact: true }).and(view.locator(':disabled')).waitFor();
  const sent = [];
  view.on('request', (each) => each.url().endsWith('/v1/chat/completions') && sent.push(each.postDataJSON().temperature));
  await view.keyboard.press('Control+Enter');
  tell();
  await run(view);
  assert.deepEqual(sent, [0.5]);
  assert.deepEqual(view.problems, []);
});

test('what is asked is what the server gets, keeps and streams back', async () => {
  const view = await window('playground');
  await view.getByLabel('System prompt').fill('Be brief.');
  await ask(view, 'hello there');
  await open(view, 'Parameters');
  await field(view, 'temperature').fill('0.5');
  await field(view, 'seed').fill('7');
  await field(view, 'stop').fill('["nothing"]');
  await open(view, 'More parameters');
  await field(view, 'store').selectOption('true');
  await field(view, 'metadata').fill('{"team": "one"}');
  const sent = await run(view);
  await done(view);
  assert.deepEqual(sent, {
    model: 'demo',
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'hello there' }],
    temperature: 0.5, seed: 7, stop: ['nothing'], stream: true,
    stream_options: { include_usage: true }, store: true, metadata: { team: 'one' },
  });
  const { chat, messages } = await stored();
  assert.equal(chat.choices[0].message.content, 'You said: hello there');
  assert.deepEqual(chat.metadata, { team: 'one' });
  assert.deepEqual(messages.map((each) => each.content), ['Be brief.', 'hello there']);
  await panel(view).getByText('You said: hello there').waitFor();
  await panel(view).getByText(`${chat.usage.prompt_tokens} → ${chat.usage.completion_tokens}`).waitFor();
  await view.getByRole('tab', { name: 'Request' }).click();
  assert.match(await panel(view).innerText(), /^POST \/v1\/chat\/completions\n.*"seed": 7/s);
  await view.getByRole('tab', { name: 'Raw response' }).click();
  const raw = await panel(view).innerText();
  assert.match(raw, /^200 OK\ncontent-type: text\/event-stream/);
  const request = view.getByRole('region', { name: 'Request', exact: true });
  assert.equal((await request.boundingBox()).width, view.viewportSize().width / 2); // its long lines move nothing, and are seen whole
  assert.ok(await panel(view).evaluate((each) => [each, each.firstElementChild].every((box) => box.scrollWidth <= box.clientWidth)));
  const lines = raw.split('\n').filter((line) => line.startsWith('data: '));
  assert.equal(lines.at(-1), 'data: [DONE]');
  assert.equal(lines.slice(0, -1).map((line) => JSON.parse(line.slice(6)).choices[0]?.delta.content ?? '').join(''),
    'You said: hello there');
  assert.deepEqual(view.problems, []);
});

test('an empty message is not sent, and the page says which', async () => {
  const view = await window('playground');
  const asked = [];
  view.on('request', (request) => request.url().endsWith('/v1/chat/completions') && asked.push(request));
  await ask(view, ' ');
  await view.getByRole('button', { name: 'Run', exact: true }).click();
  await view.getByRole('alert').getByText('Message 1 is empty').waitFor();
  assert.equal(asked.length, 0);
  await ask(view, 'hello');
  await view.getByRole('alert').waitFor({ state: 'detached' });
  await run(view);
  await done(view);
  assert.deepEqual(view.problems, []);
});

test('every parameter that the server describes has its field', async () => {
  const view = await window('playground');
  await open(view, 'Parameters');
  await field(view, 'temperature').waitFor();
  const { components } = await server.get('/openapi.json');
  const names = (name) => {
    const { allOf = [], properties = {} } = components.schemas[name];
    return [...allOf.flatMap((each) => names(each.$ref.split('/').pop())), ...Object.keys(properties)];
  };
  const elsewhere = ['model', 'messages', 'tools', 'tool_choice', 'response_format'];
  const fields = await view.locator('[id^="p-"]').evaluateAll((all) => all.map((each) => each.id.slice(2)));
  assert.deepEqual(fields.sort(), [...new Set(names('ChatCompletionRequest'))].filter((each) => !elsewhere.includes(each)).sort());
  assert.ok(fields.length > 50);
});

test('what is wrong is said as it is typed, and by the server at its field', async () => {
  const view = await window('playground');
  await ask(view, 'hi');
  await open(view, 'Parameters');
  const start = view.getByRole('button', { name: 'Run', exact: true });
  for (const [name, typed, said] of [['temperature', 'warm', 'is no number'], ['seed', '12345678901234567890', 'too large'],
    ['stop', '["a"', 'after array element']]) {
    await field(view, name).fill(typed);
    await view.getByText(said).first().waitFor();
    assert.ok(await start.isDisabled());
    await field(view, name).fill('');
  }
  await field(view, 'temperature').fill('9');
  await run(view);
  await panel(view).getByRole('alert').getByText('temperature is 9, it must be from 0 to 2').waitFor();
  assert.equal(await field(view, 'temperature').getAttribute('aria-invalid'), 'true');
  await view.getByRole('tab', { name: 'Raw response' }).click();
  await panel(view).getByText('400 Bad Request').waitFor();
  assert.equal(view.problems.filter((each) => !each.includes('400')).length, 0);
});

test('a schema is judged as it is typed and binds the answer', async () => {
  const view = await window('playground');
  await ask(view, 'hi');
  await open(view, 'Output');
  await view.getByLabel('response_format').selectOption('json_schema');
  const schema = view.getByRole('textbox', { name: 'Schema', exact: true });
  await view.getByText('An answer can be bound to it').waitFor();
  await schema.fill('{"type": "object",');
  await view.getByText(/JSON at position 18/).waitFor();
  assert.ok(await view.getByRole('button', { name: 'Run', exact: true }).isDisabled());
  await schema.fill('{"properties": {"a": {"type": "colour"}}}');
  await view.getByText('#/properties/a/type: there is no type "colour"').waitFor();
  assert.equal(await schema.getAttribute('aria-invalid'), 'true');
  await schema.fill('{"properties": {"a": {"type": "string"}}}');
  await view.getByText('An answer can be bound to it').waitFor();
  const sent = await run(view);
  await done(view);
  assert.deepEqual(sent.response_format, { type: 'json_schema', json_schema: {
    name: 'answer', strict: true, schema: { properties: { a: { type: 'string' } } } } });
  assert.deepEqual(view.problems, []);
});

test('a tool is called, answered and gone on with', async () => {
  const view = await window('playground');
  await ask(view, 'how is the weather?');
  await open(view, 'Tools');
  await view.getByRole('button', { name: 'Add a tool' }).click();
  await view.getByText('An answer can be bound to it').waitFor();
  await view.getByLabel('tool_choice').selectOption('function:tool_1');
  const first = await run(view);
  await done(view);
  assert.equal(first.tools[0].function.name, 'tool_1');
  assert.deepEqual(first.tool_choice, { type: 'function', function: { name: 'tool_1' } });
  await panel(view).getByText('{"text":"Bern"}').waitFor();
  await panel(view).getByText('They ask for the weather.').waitFor({ state: 'attached' });
  await panel(view).getByRole('button', { name: 'Answer the calls' }).click();
  await view.getByRole('textbox', { name: 'Message 3' }).fill('sunny');
  const second = await run(view);
  await panel(view).getByText('It is sunny.').waitFor();
  assert.deepEqual(second.messages.slice(1), [
    { role: 'assistant', content: 'One moment.', tool_calls: [
      { id: 'call_0_0', type: 'function', function: { name: 'tool_1', arguments: '{"text":"Bern"}' } }] },
    { role: 'tool', content: 'sunny', tool_call_id: 'call_0_0' }]);
  assert.deepEqual(view.problems, []);
});

test('tokens show how likely they were, and are walked by keyboard', async () => {
  const view = await window('playground');
  await ask(view, 'one two three');
  await open(view, 'Parameters');
  await field(view, 'logprobs').selectOption('true');
  await field(view, 'top_logprobs').fill('3');
  await run(view);
  await done(view);
  const tokens = view.getByRole('toolbar').getByRole('button');
  assert.deepEqual(await tokens.allTextContents(), ['You', ' said', ':', ' one', ' two', ' three']);
  await tokens.first().focus();
  for (const [key, at] of [['End', 5], ['Home', 0]]) {
    await view.keyboard.press(key);
    assert.equal(await tokens.nth(at).getAttribute('aria-pressed'), 'true', key);
  }
  await view.keyboard.press('ArrowRight');
  await view.keyboard.press('ArrowRight');
  await view.keyboard.press('ArrowRight');
  assert.equal(await tokens.nth(3).getAttribute('aria-pressed'), 'true');
  const rows = await panel(view).locator('tbody tr').allInnerTexts();
  assert.equal(rows.length, 3);
  const answer = await (await fetch(`${server.address}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({
    model: 'demo', messages: [{ role: 'user', content: 'one two three' }], logprobs: true, top_logprobs: 3 }) })).json();
  const said = answer.choices[0].logprobs.content[3];
  assert.match(rows[0], new RegExp(`" one".*${(100 * Math.exp(said.logprob)).toFixed(1)} %.*${said.logprob.toFixed(3)}`, 's'));
  assert.deepEqual(view.problems, []);
});

test('a prompt is kept in versions that another person opens, compares and fills in', async () => {
  const view = await window('playground');
  await view.getByLabel('System prompt').fill('Speak {{language}}.');
  await ask(view, 'Greet {{who}}.');
  await open(view, 'Parameters');
  await field(view, 'temperature').fill('0');
  await field(view, 'n').fill('1');
  await open(view, 'Prompt versions');
  await view.getByText('A version does not keep: n').waitFor();
  await view.getByLabel('Prompt', { exact: true }).fill('greet');
  await view.getByLabel('Note').fill('the first');
  await view.getByRole('button', { name: 'Save as a version' }).click();
  await view.getByText('Saved as version 1').waitFor();
  await view.getByRole('button', { name: 'Put it on version 1' }).waitFor();
  await ask(view, 'Greet {{who}} warmly.');
  await view.getByRole('button', { name: 'Save as a version' }).click();
  await view.getByText('Saved as version 2').waitFor();
  await view.getByRole('button', { name: 'Put it on version 2' }).click();
  await view.getByRole('option', { name: '2 · production' }).waitFor({ state: 'attached' });
  const kept = await server.get('/api/v1/prompts/greet/versions/1');
  assert.equal(kept.note, 'the first');
  assert.deepEqual(kept.messages, [{ role: 'system', content: 'Speak {{language}}.' }, { role: 'user', content: 'Greet {{who}}.' }]);
  assert.deepEqual(kept.settings, { model: 'demo', temperature: 0 });
  assert.deepEqual((await server.get('/api/v1/prompts/greet')).labels.map((each) => each.version), [2]);

  const second = await window('playground');
  await open(second, 'Prompt versions');
  await second.getByLabel('Prompt', { exact: true }).fill('greet');
  await second.getByLabel('Prompt', { exact: true }).press('Tab');
  await second.getByLabel('Differences from').selectOption('1');
  await second.getByText('+ Greet {{who}} warmly.').waitFor();
  await second.getByLabel('language string').fill('French');
  await second.getByLabel('who string').fill('Ada');
  await second.getByRole('button', { name: 'Open, filled in' }).click();
  await second.waitForFunction(() => document.querySelector('textarea').value === 'Speak French.');
  const sent = await run(second);
  await panel(second).getByText('You said: Greet Ada warmly.').waitFor();
  assert.equal(sent.temperature, 0);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('an answer is stopped, and the code says the same request', async () => {
  const view = await window('playground/slow');
  await ask(view, 'go on');
  const sent = await run(view);
  assert.equal(sent.model, 'slow');
  await panel(view).getByText('word word word').waitFor();
  await view.keyboard.press('Control+K');
  await view.getByRole('dialog').waitFor();
  await view.keyboard.press('Escape');
  await view.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await view.locator('[role=tabpanel][data-status=working]').count(), 1);
  await view.keyboard.press('Escape');
  await view.locator('[role=tabpanel][data-status=stopped]').waitFor();
  await view.getByRole('button', { name: 'Copy as code' }).click();
  const dialog = view.getByRole('dialog');
  const [, text] = /<<'JSON'\n(.*)\nJSON\n/s.exec(await dialog.locator('pre').innerText());
  assert.deepEqual(JSON.parse(text), sent);
  await view.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await run(view);
  await panel(view).getByText('word').first().waitFor();
  const ended = view.waitForEvent('requestfailed', (each) => each.url().endsWith('/v1/chat/completions'));
  await view.evaluate(() => (location.hash = '#/models'));
  await ended;
  assert.deepEqual(view.problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe with everything open, ${colorScheme}`, async () => {
    const put = await fetch(`${server.address}/api/v1/prompts/seen/versions`, { method: 'POST', body: '{"text": "Speak {{language}}."}' });
    assert.equal(put.status, 201);
    const view = await window('playground', { colorScheme });
    await ask(view, 'one two three');
    for (const part of ['Prompt versions', 'Output', 'Tools', 'Parameters', 'More parameters']) await open(view, part);
    await view.getByLabel('response_format').selectOption('json_schema');
    await view.getByRole('button', { name: 'Add a tool' }).click();
    await view.getByLabel('Prompt', { exact: true }).fill('seen');
    await view.getByLabel('Prompt', { exact: true }).press('Tab');
    await view.getByLabel('language string').waitFor();
    await field(view, 'logprobs').selectOption('true');
    await run(view);
    await done(view);
    assert.deepEqual(await axe(view), []);
    await field(view, 'stop').fill('[');
    for (const tab of ['Request', 'Raw response']) {
      await view.getByRole('tab', { name: tab }).click();
      assert.deepEqual(await axe(view), [], tab);
    }
    assert.deepEqual(view.problems, []);
  });
}

test('it is used without a mouse, in a window of a telephone, where words are long or in another script', async () => {
  const view = await window('playground', { viewport: { width: 375, height: 700 } });
  await view.getByRole('textbox', { name: 'Message 1' }).focus();
  await view.keyboard.type('by keyboard');
  await view.keyboard.press('Control+Enter');
  await panel(view).getByText('You said: by keyboard').waitFor();
  assert.ok(await view.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  for (const [locale, title] of [['de', 'Labor'], ['hi', 'प्रयोगशाला']]) {
    const other = await window('playground', { locale, viewport: { width: 375, height: 700 } });
    assert.equal(await other.locator('main h1').innerText(), title);
    assert.ok(await other.evaluate(() => document.documentElement.scrollWidth <= innerWidth), locale);
    await other.context().close();
  }
});

test('what a page needs is small, and the other pages wait until they are opened', async () => {
  const view = await window('chat');
  await view.getByText('What shall we think about?').waitFor();
  await view.getByRole('complementary').getByRole('searchbox').waitFor();
  const loaded = await view.evaluate(() => [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
    .filter((each) => !new URL(each.name).pathname.match(/^\/(api|v1)\//)).map(({ name, encodedBodySize }) => ({ name, encodedBodySize })));
  const bytes = loaded.reduce((sum, each) => sum + each.encodedBodySize, 0);
  assert.ok(bytes > 20_000 && bytes < 150_000, `${bytes} bytes before the first message`);
  assert.ok(!loaded.some((each) => /Playground|Compare/.test(each.name)));
});

test.after(end);
