// Every program of "copy as code", run against the real server behind a recorder: the server gets
// the very request, and the program says the very answer. Arguments: the program strata, languages
// (without: those that need no compiler).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Server, skip } from './harness.mjs';

const vite = await import('vite').catch(() => skip('the packages of web/ are not here'));
const root = join(import.meta.dirname, '..');
const { module } = await vite.runnerImport(join(root, 'src/lib/snippets/index.ts'), {
  root, configFile: false, logLevel: 'error',
});
const wanted = process.argv.slice(3);
const languages = wanted.length > 0 ? wanted : ['curl', 'Python', 'JavaScript'];
const folder = mkdtempSync(join(tmpdir(), 'strata-snippets-'));

// How each is run in a folder of its own.
const runs = {
  curl: ['ask.sh', 'sh ask.sh'],
  Python: ['ask.py', 'python3 ask.py'],
  JavaScript: ['ask.mjs', `'${process.execPath}' ask.mjs`],
  Go: ['ask.go', 'go run ask.go'],
  Java: ['Ask.java', 'java Ask.java'],
  'C++': ['ask.cpp', 'c++ -Wall -Wextra -Werror -o ask ask.cpp -lcurl && ./ask'],
};

const script = {
  models: [{
    name: 'demo',
    context: 100000,
    rules: [
      { contains: 'weather', role: 'user', reply: 'One moment.', calls: [
        { name: 'weather', arguments: { city: 'Zürich "Höngg"' } }, { name: 'time', arguments: {} }] },
      { role: 'tool', reply: 'It is {message}.' },
      { reply: 'You said: {message}' },
    ],
  }],
};
const say = (content) => [{ role: 'user', content }];
const tools = [
  { type: 'function', function: { name: 'weather', description: "The city's weather", strict: true,
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } } },
  { type: 'function', function: { name: 'time', parameters: { type: 'object', properties: {} } } },
];
const quotes = `"double" 'single' \`tick\` \\ \\\\ \\n \${HOME} $HOME $(id) %s {{x}} """ ''' )json" )json_" */ <!-- JSON\nJSON\n\tend\\`;
const configurations = {
  'a question': { messages: say('Why is the sky blue?') },
  'a system prompt': { messages: [{ role: 'system', content: 'Be brief.\nBe kind.' }, ...say('Hello')] },
  'numbers and switches': { messages: say('Hello'), temperature: 0.7, top_p: 1, top_k: 40, min_p: 0.05, seed: 9007199254740991,
    presence_penalty: -1.5, logprobs: true, top_logprobs: 2, ignore_eos: false, reasoning_effort: 'low', max_tokens: 3 },
  'lists and tables': { messages: say('one two STOP three'), stop: ['STOP', '\n\n'], logit_bias: { 15: -100, 7: 1.5 },
    metadata: { team: 'a "b"' }, dry_sequence_breakers: [] },
  'every kind of quote': { messages: [{ role: 'system', content: quotes }, ...say(quotes)] },
  'every script': { messages: say('héllo नमस्ते 你好 🎉 \u2028 \u00a0 \u0001 \u007f \u{10ffff}') },
  'a schema': { messages: say('{"a": null}'), response_format: { type: 'json_schema', json_schema: { name: 'it', strict: true, schema: {
    type: 'object', properties: JSON.parse('{"__proto__": {"const": null}, "a": {"default": false}}'), required: ['a'],
    additionalProperties: { enum: [true, 1.5, 'x', []] } } } } },
  'tools': { messages: say('the weather?'), tools, tool_choice: 'auto', parallel_tool_calls: true },
  'what a tool gave back': { tools, tool_choice: { type: 'function', function: { name: 'weather' } }, messages: [...say('the weather?'),
    { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } }] },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' }] },
  'a stream': { messages: say('one two\nthree ✓'), stream: true, stream_options: { include_usage: true } },
  'a stream of tools': { messages: say('the weather?'), tools, stream: true },
  'two choices': { messages: say('Hello'), n: 2 },
  'a stream of two choices': { messages: say('Hello there'), n: 2, stream: true },
  'a long text': { messages: say('wörds and words\n'.repeat(2500)) },
};
for (const each of Object.values(configurations)) each.model = 'demo';

// Lets requests through, and keeps them.
async function recorder(server) {
  const seen = [];
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    seen.push({ text, authorization: request.headers.authorization, path: request.url });
    const headers = { 'content-type': request.headers['content-type'] };
    if (request.headers.authorization) headers.authorization = request.headers.authorization;
    const answer = await fetch(server.address + request.url, { method: request.method, headers, body: text });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
    for await (const piece of answer.body) response.write(piece);
    response.end();
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${http.address().port}`, seen, close: () => http.close() };
}

let runsSoFar = 0;
function run(language, text, key) {
  const [name, command] = runs[language];
  const place = join(folder, String(++runsSoFar));
  const prepare = `mkdir '${place}' && cd '${place}' && cat > '${name}' && ${command}`;
  const env = { ...process.env, LC_ALL: 'C.UTF-8', STRATA_API_KEY: key, no_proxy: '*', GOPROXY: 'off' };
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', prepare], { env });
    let out = '', error = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => (out += piece));
    child.stderr.setEncoding('utf8').on('data', (piece) => (error += piece));
    child.on('close', (status) => resolve({ status, out, error }));
    child.stdin.end(text);
  });
}

// The pieces of a stream as the answer that they make.
function joined(chunks) {
  const choices = [];
  for (const { index, delta } of chunks) {
    const message = (choices[index] ??= { message: { content: '', tool_calls: [] } }).message;
    message.content += delta.content ?? '';
    for (const call of delta.tool_calls ?? []) {
      const into = (message.tool_calls[call.index] ??= { function: { name: '', arguments: '' } }).function;
      into.name += call.function.name ?? '';
      into.arguments += call.function.arguments;
    }
  }
  return { choices };
}
const events = (text) => text.split('\n').filter((line) => line.startsWith('data: {'))
  .map((line) => JSON.parse(line.slice(6)));
const plain = (answer) => answer.choices.map(({ message }) => ({
  content: message.content ?? '',
  calls: (message.tool_calls ?? []).map((each) => `${each.function.name} ${each.function.arguments}`),
}));

// What a program of this language has to print for this answer, or what it printed as an answer.
function expectSame(language, body, out, answer) {
  const wanted = plain(answer);
  if (['curl', 'Java', 'C++'].includes(language)) {
    const got = body.stream ? joined(events(out).flatMap((each) => each.choices)) : JSON.parse(out);
    return assert.deepEqual(plain(got), wanted);
  }
  if (body.stream && body.n > 1) {
    const pieces = out.trim().split('\n').map((line) => {
      const space = line.indexOf(' ');
      const said = JSON.parse(line.slice(space));
      return { index: Number(line.slice(0, space)), delta: typeof said === 'string' ? { content: said } : said };
    });
    return assert.deepEqual(plain(joined(pieces)), wanted);
  }
  const between = body.stream ? '' : '\n';
  const text = wanted.map(({ content, calls }) =>
    content + between + calls.map((call) => (body.stream ? `\n${call}` : `${call}\n`)).join('')).join('');
  assert.equal(out, body.stream ? `${text}\n` : text);
}

const server = await new Server(script).start();
const locked = await new Server(script, ['--require-key']).start();
const key = locked.key('test');

for (const language of languages) {
  test(`${language} asks what it is given and prints the answer`, async (context) => {
    const record = await recorder(server);
    for (const [name, body] of Object.entries(configurations)) {
      await context.test(name, async () => {
        record.seen.length = 0;
        const { status, out, error } = await run(language, module.languages[language]({ url: record.url, withKey: false, body }), '');
        assert.equal(status, 0, error);
        assert.equal(record.seen.length, 1);
        assert.deepEqual(JSON.parse(record.seen[0].text), JSON.parse(JSON.stringify(body)));
        assert.equal(record.seen[0].authorization, undefined);
        const { stream, stream_options, ...rest } = body;
        const response = await fetch(`${server.address}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(rest) });
        expectSame(language, body, out, await response.json());
      });
    }
    record.close();
  });

  test(`${language} sends the key`, async () => {
    const record = await recorder(locked);
    const text = module.languages[language]({ url: record.url, withKey: true, body: configurations['a question'] });
    assert.ok(!text.includes(key));
    const { status, out, error } = await run(language, text, key);
    assert.equal(status, 0, error);
    assert.match(out, /You said: Why is the sky blue\?/);
    assert.equal(record.seen[0].authorization, `Bearer ${key}`);
    record.close();
  });

  test(`${language} has a key in it where one is given`, async () => {
    const record = await recorder(locked);
    const text = module.languages[language]({ url: record.url, withKey: true, key, body: configurations['a question'] });
    const { status, out, error } = await run(language, text, '');
    assert.equal(status, 0, error);
    assert.match(out, /You said: Why is the sky blue\?/);
    assert.equal(record.seen[0].authorization, `Bearer ${key}`);
    record.close();
  });

  test(`${language} says why it was refused`, async () => {
    for (const stream of [false, true]) {
      const text = module.languages[language]({ url: server.address, withKey: false,
        body: { ...configurations['a question'], model: 'nobody', stream } });
      const { status, out, error } = await run(language, text, '');
      if (language !== 'curl') assert.notEqual(status, 0);
      assert.match(out + error, /nobody/);
    }
  });
}

test.after(() => {
  server.close();
  locked.close();
  rmSync(folder, { recursive: true, force: true });
});
