// What a snippet is made of: a request of /v1/chat/completions and where it goes.

export interface Ask {
  url: string; // of this server
  withKey: boolean; // it is sent
  key?: string; // without it the program reads STRATA_API_KEY
  body: Record<string, unknown>;
}

export const address = (ask: Ask) => `${ask.url}/v1/chat/completions`;
export const streams = (ask: Ask) => ask.body['stream'] === true;
export const readsKey = (ask: Ask) => ask.withKey && !ask.key;
export const bearer = (ask: Ask) => ask.withKey && !!ask.key && `Bearer ${ask.key}`;
export const hasTools = (ask: Ask) => 'tools' in ask.body || 'functions' in ask.body;
export const hasChoices = (ask: Ask) => Number(ask.body['n'] ?? 1) > 1;
export const pretty = (ask: Ask) => JSON.stringify(ask.body, null, 2);

// Lines of a program; false: that line is not wanted.
export function lines(...parts: (string | false)[]) {
  return parts.filter((part): part is string => part !== false).join('\n') + '\n';
}

interface Words {
  yes: string;
  no: string;
  nothing: string;
  key: (quoted: string) => string;
}

// A JSON value as a literal of a language whose texts are written as JSON's.
export function literal(value: unknown, words: Words, step: string, indent = ''): string {
  if (value === true) return words.yes;
  if (value === false) return words.no;
  if (value === null || value === undefined) return words.nothing;
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = indent + step;
  const list = Array.isArray(value);
  const parts = list
    ? value.map((each) => literal(each, words, step, inner))
    : Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => `${words.key(JSON.stringify(key))}: ${literal(each, words, step, inner)}`);
  const [open, close] = list ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join('')}${indent}${close}`;
}
