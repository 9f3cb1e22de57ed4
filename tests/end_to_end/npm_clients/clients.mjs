// The makers' JavaScript clients against the server at ADDRESS, whose model "agent" thinks and calls by rules
// (../agent_script.json) and whose "echo" repeats: each operation whole and streamed.
//   node clients.mjs ADDRESS      (started by ../npm_clients.py)
import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { chatCompletion, chatCompletionStream, textGeneration, textGenerationStream } from '@huggingface/inference';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

const address = process.argv[2];
const hello = [{ role: 'user', content: 'Hello there' }];
const weather = [{ role: 'user', content: 'the weather?' }];
const parameters = { type: 'object', properties: { city: { type: 'string' } } };
const gather = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};

const openai = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none', maxRetries: 0 });

test('openai: chats', async () => {
  const whole = await openai.chat.completions.create({ model: 'echo', messages: hello, logprobs: true, n: 2 });
  assert.deepEqual(whole.choices.map((each) => each.message.content), ['Hello there', 'Hello there']);
  const events = await gather(await openai.chat.completions.create({
    model: 'echo', messages: hello, stream: true, stream_options: { include_usage: true },
  }));
  assert.equal(events.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello there');
  assert.equal(events.at(-1).usage.completion_tokens, whole.usage.completion_tokens / 2);
});

test('openai: a loop of tools', async () => {
  const asked = [];
  const tool = (name, answer) => ({
    type: 'function',
    function: { name, parameters, parse: JSON.parse, function: (given) => (asked.push(given), answer) },
  });
  const run = openai.chat.completions.runTools({
    model: 'agent', messages: weather, tools: [tool('weather', 'rainy'), tool('clock', 'noon')],
  });
  assert.equal(await run.finalContent(), 'It is noon.');
  assert.deepEqual(asked, [{ city: 'Oslo' }, { zone: 'CET' }]);
});

test('openai: completions, vectors, models, files, batches', async () => {
  const text = await openai.completions.create({ model: 'echo', prompt: 'a b', echo: true });
  assert.match(text.choices[0].text, /^a b/);
  const names = (await gather(openai.models.list())).map((each) => each.id);
  assert.deepEqual(names.sort(), ['agent', 'echo']);
  const line = { custom_id: 'x', method: 'POST', url: '/v1/chat/completions', body: { model: 'echo', messages: hello } };
  const file = await openai.files.create({ file: new File([JSON.stringify(line)], 'in.jsonl'), purpose: 'batch' });
  let batch = await openai.batches.create({ input_file_id: file.id, endpoint: line.url, completion_window: '24h' });
  while (!['completed', 'failed'].includes(batch.status)) batch = await openai.batches.retrieve(batch.id);
  const answer = JSON.parse(await (await openai.files.content(batch.output_file_id)).text());
  assert.equal(answer.response.body.choices[0].message.content, 'Hello there');
  assert.equal((await openai.files.delete(file.id)).deleted, true);
});

test('openai: responses', async () => {
  const first = await openai.responses.create({ model: 'echo', input: 'one two' });
  assert.equal(first.output_text, 'one two');
  const next = await openai.responses.create({ model: 'echo', input: 'three', previous_response_id: first.id });
  assert.equal((await openai.responses.retrieve(next.id)).previous_response_id, first.id);
  const events = await gather(openai.responses.stream({ model: 'agent', input: 'ponder', store: false }));
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).response.output.at(-1).content[0].text, 'Done.');
  assert.equal(events.filter((each) => each.type === 'response.output_text.delta').map((each) => each.delta).join(''), 'Done.');
  const kept = await openai.conversations.create({ items: [{ type: 'message', role: 'user', content: 'before' }] });
  await openai.responses.create({ model: 'echo', input: 'now', conversation: kept.id });
  assert.equal((await gather(openai.conversations.items.list(kept.id))).length, 3);
  await openai.responses.delete(first.id);
  await assert.rejects(openai.responses.retrieve(first.id), OpenAI.NotFoundError);
});

test('openai: errors', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'absent', messages: hello }), OpenAI.NotFoundError);
  await assert.rejects(openai.chat.completions.create({ model: 'echo', messages: hello, temperature: 9 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
});

test('anthropic', async () => {
  const client = new Anthropic({ baseURL: address, apiKey: 'none', maxRetries: 0 });
  const tools = ['weather', 'clock'].map((name) => ({ name, input_schema: parameters }));
  const asked = { model: 'agent', max_tokens: 100, messages: weather, tools, thinking: { type: 'adaptive' } };
  const whole = await client.messages.create(asked);
  assert.deepEqual(whole.content.map((each) => each.type), ['thinking', 'text', 'tool_use', 'tool_use']);
  const stream = client.messages.stream(asked);
  const kinds = (await gather(stream)).map((each) => each.type);
  assert.deepEqual([kinds[0], kinds.at(-1)], ['message_start', 'message_stop']);
  assert.deepEqual((await stream.finalMessage()).content.map((each) => each.input ?? each.text ?? each.thinking),
    whole.content.map((each) => each.input ?? each.text ?? each.thinking));
  const counted = await client.messages.countTokens({ model: 'echo', messages: hello });
  assert.ok(counted.input_tokens > 0);
  assert.ok((await gather(client.models.list())).length === 2);
  const batch = await client.messages.batches.create({
    requests: [{ custom_id: 'a', params: { model: 'echo', max_tokens: 9, messages: hello } }],
  });
  while ((await client.messages.batches.retrieve(batch.id)).processing_status !== 'ended');
  const results = await gather(await client.messages.batches.results(batch.id));
  assert.equal(results[0].result.message.content[0].text, 'Hello there');
  await assert.rejects(client.messages.create({ ...asked, model: 'absent' }), Anthropic.NotFoundError);
});

test('google genai', async () => {
  const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: address } });
  const asked = { model: 'echo', contents: 'Hello there' };
  const whole = await client.models.generateContent(asked);
  assert.equal(whole.text, 'Hello there');
  const pieces = await gather(await client.models.generateContentStream(asked));
  assert.equal(pieces.map((each) => each.text ?? '').join(''), 'Hello there');
  const functionDeclarations = ['weather', 'clock'].map((name) => ({ name, parametersJsonSchema: parameters }));
  const called = await client.models.generateContent({
    model: 'agent', contents: 'the weather?', config: { tools: [{ functionDeclarations }] },
  });
  assert.deepEqual(called.functionCalls.map((each) => each.args), [{ city: 'Oslo' }, { zone: 'CET' }]);
  assert.ok((await client.models.countTokens(asked)).totalTokens > 0);
  const chat = client.chats.create({ model: 'echo' });
  await chat.sendMessage({ message: 'one' });
  assert.equal((await chat.sendMessage({ message: 'two' })).text, 'two');
  assert.equal(chat.getHistory().length, 4);
});

test('ollama', async () => {
  const client = new Ollama({ host: address });
  const whole = await client.chat({ model: 'echo', messages: hello });
  assert.equal(whole.message.content, 'Hello there');
  const pieces = await gather(await client.chat({ model: 'echo', messages: hello, stream: true }));
  assert.equal(pieces.map((each) => each.message.content).join(''), 'Hello there');
  assert.equal(pieces.at(-1).eval_count, whole.eval_count);
  const tools = ['weather', 'clock'].map((name) => ({ type: 'function', function: { name, description: '', parameters } }));
  const called = await client.chat({ model: 'agent', messages: weather, tools, think: true });
  assert.equal(called.message.thinking, 'A tool knows.');
  assert.deepEqual(called.message.tool_calls.map((each) => each.function.arguments), [{ city: 'Oslo' }, { zone: 'CET' }]);
  assert.equal((await client.generate({ model: 'echo', prompt: 'a b', raw: true })).response, 'a b');
  assert.equal((await client.list()).models.length, 2);
  assert.ok((await client.version()).version);
  await assert.rejects(client.chat({ model: 'absent', messages: hello }), (error) => error.status_code === 404);
});

test('hugging face', async () => {
  const endpointUrl = `${address}/models/echo`;
  const whole = await textGeneration({ endpointUrl, inputs: 'a b' });
  assert.equal(whole.generated_text, 'a b');
  const pieces = await gather(textGenerationStream({ endpointUrl, inputs: 'a b' }));
  assert.equal(pieces.map((each) => each.choices[0]?.text ?? '').join(''), 'a b');
  const chat = { endpointUrl, messages: hello };
  assert.equal((await chatCompletion(chat)).choices[0].message.content, 'Hello there');
  const streamed = await gather(chatCompletionStream(chat));
  assert.equal(streamed.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello there');
});
