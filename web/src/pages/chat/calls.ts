// Calls of tools in a message. It may come from an import: only what has the right kind is a call.
import type { Message } from '../../lib/api';

export interface Call {
  id: string;
  name: string;
  arguments: string;
  output?: string; // what the tool gave back, once that is told
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function callsOf({ data }: Pick<Message, 'data'>): Call[] {
  if (!Array.isArray(data.calls)) return [];
  const all = data.calls as unknown[];
  return all.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null)
    .map((each) => ({ id: text(each['id']), name: text(each['name']), arguments: text(each['arguments']),
      ...(typeof each['output'] === 'string' && { output: each['output'] }) }));
}

// The message as chat completions have it: with the calls that have an output, and these behind it.
export function turnsOf(message: Pick<Message, 'role' | 'text' | 'data'>): Record<string, unknown>[] {
  const { role, text: content } = message;
  const calls = role === 'assistant' ? callsOf(message).filter((each) => each.output !== undefined) : [];
  if (calls.length === 0) return [{ role, content }];
  return [
    { role, content, tool_calls: calls.map(({ id, name, arguments: given }) => ({
      id, type: 'function', function: { name, arguments: given } })) },
    ...calls.map(({ id, output }) => ({ role: 'tool', tool_call_id: id, content: output })),
  ];
}
