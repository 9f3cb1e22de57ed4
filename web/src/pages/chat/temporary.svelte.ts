// A chat that is kept nowhere: its messages live in this page, its answers come from the stateless
// interface.
import type { AnswerRequest, Message } from '../../lib/api';
import { Completion } from '../../lib/completion.svelte';
import { pathTo } from '../../lib/tree';
import { turnsOf } from './calls';

interface Entry {
  message: Message;
  completion?: Completion; // that makes it
  outputs?: Record<string, string>; // of its calls, by their ids
}

// An answer as it is now.
function shown({ message, completion, outputs = {} }: Entry): Message {
  if (!completion) return message;
  const { status, usage, tokensPerSecond, firstMs, problem } = completion;
  const choice = completion.choices[0];
  const whole = status === 'done' && choice?.finish !== 'length';
  return {
    ...message,
    status: status === 'working' ? 'working' : whole ? 'done' : 'cut',
    text: choice?.text ?? '',
    reasoning: choice?.reasoning ?? '',
    data: {
      ...message.data,
      ...(choice?.calls.length && { calls: choice.calls.map((each) => {
        const output = outputs[each.id];
        return { ...each, ...(output !== undefined && { output }) };
      }) }),
      ...(usage && { usage: { ...usage, ...(tokensPerSecond && { tokens_per_second: tokensPerSecond }) } }),
      ...(firstMs !== undefined && { first_token_ms: Math.round(firstMs) }),
      ...(problem && { error: problem }),
    },
  };
}

export class TemporaryChat {
  private entries = $state.raw<Entry[]>([]);
  messages = $derived(this.entries.map(shown));
  leaf = $state('');

  private add(role: Message['role'], parent: string, text: string, data: Message['data'], completion?: Completion) {
    const id = `temporary-${this.entries.length}`;
    const message: Message = { id, conversation: '', parent, role, text, data, reasoning: '', status: 'done',
      created: Date.now() };
    this.entries = [...this.entries, { message, ...(completion && { completion }) }];
    this.leaf = id;
    return id;
  }

  say(text: string, data: Message['data'], parent: string, request: AnswerRequest) {
    return this.answer(this.add('user', parent, text, data), request);
  }

  // What tools gave back that an answer called.
  give(id: string, outputs: readonly { id: string; output: string }[]) {
    const told = Object.fromEntries(outputs.map((each) => [each.id, each.output]));
    this.entries = this.entries.map((each) =>
      each.message.id === id ? { ...each, outputs: { ...each.outputs, ...told } } : each);
  }

  answer(parent: string, request: AnswerRequest) {
    const { system, ...rest } = request;
    const before = pathTo(this.messages, parent).flatMap(turnsOf);
    const completion = new Completion();
    this.add('assistant', parent, '', { model: request.model, request }, completion);
    return completion.run({ ...rest, stream: true, stream_options: { include_usage: true }, store: false,
      messages: [...(system ? [{ role: 'system', content: system }] : []), ...before] });
  }

  stop = () => this.entries.forEach((each) => each.completion?.stop());
}
