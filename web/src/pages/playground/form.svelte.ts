// What is being tried out. It stays while other pages are looked at.
import type { Call } from '../../lib/completion.svelte';
import { valueOf, type Parameter } from './parameters';

export interface Turn {
  role: string;
  content: string;
  tool_calls?: Call[];
  tool_call_id?: string;
}
export interface Tool {
  name: string;
  description: string;
  parameters: string; // a schema, as typed
}

const exampleSchema = `{
  "type": "object",
  "properties": {
    "answer": { "type": "string" },
    "sure": { "type": "boolean" }
  },
  "required": ["answer", "sure"],
  "additionalProperties": false
}`;
export const newTool = (n: number): Tool => ({
  name: `tool_${n}`,
  description: '',
  parameters: `{
  "type": "object",
  "properties": { "text": { "type": "string" } },
  "required": ["text"]
}`,
});

export class Form {
  model = $state('');
  system = $state('');
  turns = $state<Turn[]>([{ role: 'user', content: '' }]);
  values = $state<Record<string, string>>({ stream: 'true', stream_options: '{"include_usage": true}' });
  format = $state('text');
  schemaName = $state('answer');
  schema = $state(exampleSchema);
  tools = $state<Tool[]>([]);
  toolChoice = $state('');

  // The request, and by field why there is none.
  build(parameters: readonly Parameter[]) {
    const problems: Record<string, string> = {};
    const attempt = <T>(field: string, work: () => T): T | undefined => {
      try {
        return work();
      } catch (error) {
        problems[field] = error instanceof Error ? error.message : String(error);
        return undefined;
      }
    };
    const body: Record<string, unknown> = { model: this.model, messages: this.messages() };
    for (const parameter of parameters) {
      const typed = this.values[parameter.name] ?? '';
      if (typed !== '') body[parameter.name] = attempt(parameter.name, () => valueOf(parameter, typed));
    }
    if (body['stream'] !== true) delete body['stream_options']; // it is only for streams
    if (this.format === 'json_object') body['response_format'] = { type: 'json_object' };
    if (this.format === 'json_schema') {
      const schema = attempt('response_format', () => JSON.parse(this.schema) as unknown);
      body['response_format'] = { type: 'json_schema', json_schema: { name: this.schemaName, strict: true, schema } };
    }
    if (this.tools.length > 0) {
      body['tools'] = this.tools.map((tool, i) => ({
        type: 'function',
        function: {
          name: tool.name,
          ...(tool.description && { description: tool.description }),
          parameters: attempt(`tools[${i}]`, () => JSON.parse(tool.parameters) as unknown),
        },
      }));
      if (this.toolChoice) body['tool_choice'] = this.choice();
    }
    return { body, problems };
  }

  // The conversation goes on behind an answer that calls tools: a place for what each gives back.
  answerCalls(text: string, calls: readonly Call[]) {
    this.turns.push({ role: 'assistant', content: text, tool_calls: calls.map((call) => ({ ...call })) });
    for (const call of calls) this.turns.push({ role: 'tool', content: '', tool_call_id: call.id });
  }

  private choice() {
    const named = this.toolChoice.startsWith('function:') ? this.toolChoice.slice(9) : '';
    return named ? { type: 'function', function: { name: named } } : this.toolChoice;
  }

  private messages() {
    const said = this.turns.map(({ role, content, tool_calls, tool_call_id }) => ({
      role,
      content: tool_calls && !content ? null : content,
      ...(tool_calls && {
        tool_calls: tool_calls.map(({ id, name, arguments: given }) => ({
          id, type: 'function', function: { name, arguments: given } })),
      }),
      ...(tool_call_id && { tool_call_id }),
    }));
    return this.system ? [{ role: 'system', content: this.system }, ...said] : said;
  }
}

export const form = new Form();
