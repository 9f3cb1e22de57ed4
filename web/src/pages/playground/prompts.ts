// A prompt of the registry ↔ what is in the form. Its settings have the names that the registry has
// (docs/api/prompts.md), which are those of responses.
import type { Form } from './form.svelte';

export interface Content {
  messages: { role: string; content: string }[];
  variables?: Record<string, { type: string; default?: unknown }>;
  settings: Record<string, unknown>;
}
interface Named {
  type?: string;
  name?: string;
  function?: { name: string; description?: string; parameters?: unknown };
}

const same = ['temperature', 'top_p', 'top_k', 'min_p', 'seed', 'stop', 'parallel_tool_calls'];
const transport = ['stream', 'stream_options']; // how it is sent is no part of a prompt

const flat = (each: Named) => ({ type: 'function', ...each.function });

// Of a request: what a version keeps, and the fields that it has no place for.
export function toContent(body: Record<string, unknown>) {
  const { model, messages, max_tokens, max_completion_tokens, reasoning_effort, response_format, tools, tool_choice, ...rest } = body;
  const settings: Record<string, unknown> = { model };
  const left: string[] = [];
  for (const [name, value] of Object.entries(rest)) {
    if (same.includes(name)) settings[name] = value;
    else if (!transport.includes(name)) left.push(name);
  }
  const longest = max_completion_tokens ?? max_tokens;
  if (longest !== undefined) settings['max_output_tokens'] = longest;
  if (reasoning_effort !== undefined) settings['reasoning'] = { effort: reasoning_effort };
  if (response_format) {
    const { type, json_schema } = response_format as { type: string; json_schema?: object };
    settings['text'] = { format: { type, ...json_schema } };
  }
  if (tools) settings['tools'] = (tools as Named[]).map(flat);
  if (tool_choice) settings['tool_choice'] = typeof tool_choice === 'string' ? tool_choice : flat(tool_choice as Named);
  return { messages, settings, left };
}

const typed = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

export function fill(form: Form, { messages, settings }: Content) {
  const [head, ...others] = messages;
  const system = head?.role === 'system' ? head.content : '';
  const turns = (system ? others : messages).map(({ role, content }) => ({ role, content }));
  form.system = system;
  form.turns = turns.length > 0 ? turns : [{ role: 'user', content: '' }];
  const { model, max_output_tokens, reasoning, text, tools, tool_choice } = settings;
  if (model) form.model = String(model);
  const values: Record<string, string> = {};
  for (const name of transport) if (form.values[name]) values[name] = form.values[name];
  for (const name of same) if (settings[name] !== undefined) values[name] = typed(settings[name]);
  if (typeof settings['stop'] === 'string') values['stop'] = JSON.stringify(settings['stop']);
  if (max_output_tokens !== undefined) values['max_completion_tokens'] = typed(max_output_tokens);
  const effort = (reasoning as { effort?: string } | undefined)?.effort;
  if (effort) values['reasoning_effort'] = effort;
  form.values = values;
  const format = (text as { format?: { type: string; name?: string; schema?: unknown } } | undefined)?.format;
  form.format = format?.type ?? 'text';
  if (format?.name) form.schemaName = format.name;
  if (format?.schema) form.schema = JSON.stringify(format.schema, null, 2);
  form.tools = ((tools ?? []) as { name: string; description?: string; parameters?: unknown }[]).map((each) => ({
    name: each.name, description: each.description ?? '', parameters: JSON.stringify(each.parameters ?? {}, null, 2) }));
  form.toolChoice = typeof tool_choice === 'string' ? tool_choice : tool_choice ? `function:${(tool_choice as Named).name}` : '';
}
