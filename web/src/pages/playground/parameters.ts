// The parameters of chat completions as the server's own description has them: what it takes, the
// playground offers, with the ranges and words that it says.
import { t } from '../../lib/i18n.svelte';

interface Schema {
  $ref?: string;
  allOf?: Schema[];
  anyOf?: Schema[];
  type?: string | string[];
  enum?: (string | null)[];
  minimum?: number;
  maximum?: number;
  description?: string;
  properties?: Record<string, Schema>;
}
export interface Document {
  components: { schemas: Record<string, Schema> };
}
export interface Parameter {
  name: string;
  kind: 'number' | 'integer' | 'boolean' | 'choice' | 'text' | 'json';
  minimum?: number | undefined;
  maximum?: number | undefined;
  choices: string[];
  about: string;
}

// What the page has a place of its own for.
const elsewhere = ['model', 'messages', 'tools', 'tool_choice', 'response_format'];
const first = ['temperature', 'max_completion_tokens', 'top_p', 'top_k', 'seed', 'stop', 'reasoning_effort',
  'stream', 'n', 'logprobs', 'top_logprobs'];

export function parametersOf(document: Document): Parameter[] {
  const followed = (schema: Schema): Schema =>
    schema.$ref ? followed(document.components.schemas[schema.$ref.split('/').pop() ?? ''] ?? {}) : schema;
  const properties = (schema: Schema): Record<string, Schema> => {
    const whole = followed(schema);
    return Object.assign({}, ...(whole.allOf ?? []).map(properties), whole.properties);
  };
  const kindOf = (schema: Schema): Parameter['kind'] => {
    if (schema.enum) return 'choice';
    const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== 'null') : schema.type;
    if (type === 'string') return 'text';
    return type === 'number' || type === 'integer' || type === 'boolean' ? type : 'json';
  };
  const all = properties({ $ref: 'ChatCompletionRequest' });
  const rank = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  return Object.entries(all)
    .filter(([name]) => !elsewhere.includes(name))
    .map(([name, given]) => {
      const schema = followed(given);
      return {
        name,
        kind: kindOf(schema),
        minimum: schema.minimum,
        maximum: schema.maximum,
        choices: (schema.enum ?? []).filter((each) => each !== null),
        about: given.description ?? schema.description ?? '',
      };
    })
    .sort((a, b) => rank(a.name) - rank(b.name));
}
export const frequent = first.length;

// A value as it is typed → what is sent. Throws what is wrong with it.
export function valueOf(parameter: Parameter, typed: string): unknown {
  switch (parameter.kind) {
    case 'boolean':
      return typed === 'true';
    case 'number':
    case 'integer': {
      const number = Number(typed);
      if (!Number.isFinite(number)) throw new Error(t('no_number'));
      if (Number.isInteger(number) && !Number.isSafeInteger(number)) throw new Error(t('too_large_number'));
      return number;
    }
    case 'json':
      return JSON.parse(typed);
    default:
      return typed;
  }
}
