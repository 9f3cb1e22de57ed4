// Conversations as files: our own JSON, Markdown to read, and what OpenAI and Open WebUI export.
import { places } from '../../lib/ahead';
import { call, type Conversation, type Message } from '../../lib/api';
import { t } from '../../lib/i18n.svelte';
import { pathTo } from '../../lib/tree';
import type { Call } from './calls';

export interface Imported {
  title: string;
  folder?: string;
  messages: { role: string; text: string; reasoning?: string; data?: { calls?: Call[] }; parent: number }[];
  leaf: number; // place of the one that is shown; -1: the last
}
type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const text = (value: unknown) => (typeof value === 'string' ? value : '');
const list = (value: unknown) => (Array.isArray(value) ? (value as unknown[]) : []);

interface Node {
  id: string;
  parent: string;
  role: string;
  text: string;
  reasoning?: string;
  data?: { calls?: Call[] };
  tool?: string; // whose output it is
}

// The message has this output: of its first call that has none, else of one that is not told.
function addOutput(message: { data?: { calls?: Call[] } }, tool: string, output: string) {
  const calls = (message.data ??= {}).calls ?? [];
  const waits = calls.find((each) => each.output === undefined);
  if (waits) waits.output = output;
  else calls.push({ id: `import_${calls.length}`, name: tool, arguments: '', output });
  message.data.calls = calls;
}

// A parent stands before its children. What no person and no model said is left out, and what hangs
// on it hangs on what was before.
function arrange(nodes: readonly Node[], title: string, leaf: string): Imported {
  const byId = new Map(nodes.map((each) => [each.id, each]));
  const children = new Map<string, Node[]>();
  for (const each of nodes) {
    const parent = byId.has(each.parent) && each.parent !== each.id ? each.parent : '';
    children.set(parent, [...(children.get(parent) ?? []), each]);
  }
  const out: Imported = { title: title.slice(0, 100), messages: [], leaf: -1 };
  const places = new Map<string, number>();
  const next = (children.get('') ?? []).map((each) => ({ each, above: -1 })).reverse();
  for (let top = next.pop(); top; top = next.pop()) {
    const { each, above } = top;
    let place = above;
    const caller = out.messages[above];
    if (each.tool && caller?.role === 'assistant') addOutput(caller, each.tool, each.text);
    const said = each.text || each.reasoning || each.data?.calls;
    if ((each.role === 'user' || each.role === 'assistant') && said) {
      place = out.messages.length;
      out.messages.push({
        role: each.role,
        text: each.text,
        parent: above,
        ...(each.reasoning && { reasoning: each.reasoning }),
        ...(each.data && { data: each.data }),
      });
    }
    places.set(each.id, place);
    for (const child of (children.get(each.id) ?? []).reverse()) next.push({ each: child, above: place });
  }
  out.leaf = places.get(leaf) ?? -1;
  return out;
}

function fromOwn(whole: Json): Imported {
  const nodes = list(whole['messages']).filter(isObject).map((each): Node => ({
    id: text(each['id']),
    parent: text(each['parent']),
    role: text(each['role']),
    text: text(each['text']),
    reasoning: text(each['reasoning']),
    ...(isObject(each['data']) && { data: each['data'] }),
  }));
  return { ...arrange(nodes, text(whole['title']), text(whole['leaf'])), folder: text(whole['folder']) };
}

function fromOpenAi(whole: Json): Imported {
  const nodes = Object.entries(whole['mapping'] as Json).map(([id, value]): Node => {
    const node = isObject(value) ? value : {};
    const message = isObject(node['message']) ? node['message'] : {};
    const author = isObject(message['author']) ? message['author'] : {};
    const content = isObject(message['content']) ? message['content'] : {};
    const parts = list(content['parts']).map((part) => (isObject(part) ? text(part['text']) : text(part)));
    const said = parts.filter(Boolean).join('\n') || text(content['text']);
    const role = text(author['role']);
    const to = text(message['recipient']);
    const calls = role === 'assistant' && to && to !== 'all';
    return { id, parent: text(node['parent']), role, text: calls ? '' : said,
      ...(calls && { data: { calls: [{ id, name: to, arguments: said }] } }),
      ...(role === 'tool' && { tool: text(author['name']) || role }) };
  });
  return arrange(nodes, text(whole['title']), text(whole['current_node']));
}

function fromOpenWebUi(whole: Json): Imported {
  const chat = whole['chat'] as Json;
  const history = chat['history'] as Json;
  const nodes = Object.entries(history['messages'] as Json).map(([id, value]): Node => {
    const node = isObject(value) ? value : {};
    return { id, parent: text(node['parentId']), role: text(node['role']), text: text(node['content']) };
  });
  return arrange(nodes, text(whole['title']) || text(chat['title']), text(history['currentId']));
}

function convert(whole: unknown): Imported | undefined {
  if (!isObject(whole)) return undefined;
  if (isObject(whole['mapping'])) return fromOpenAi(whole);
  if (isObject(whole['chat']) && isObject(whole['chat']['history']) &&
      isObject(whole['chat']['history']['messages'])) return fromOpenWebUi(whole);
  if (Array.isArray(whole['messages'])) return fromOwn(whole);
  return undefined;
}

// What is no conversation is counted, not guessed. Throws where there is none.
export function readExport(content: string): { found: Imported[]; left: number } {
  let whole: unknown;
  try {
    whole = JSON.parse(content);
  } catch {
    // no JSON has no conversation
  }
  const all = (Array.isArray(whole) ? (whole as unknown[]) : [whole]).map(convert);
  const found = all.filter((each) => each !== undefined && each.messages.length > 0) as Imported[];
  if (found.length === 0) throw new Error(t('not_readable'));
  return { found, left: all.length - found.length };
}

export async function store({ title, folder, messages, leaf }: Imported): Promise<string> {
  const body = { title, messages, ...(folder && { folder }) };
  const made = await call<Conversation>('POST', '/api/v1/conversations', body);
  if (leaf >= 0 && leaf + 1 < messages.length) {
    const whole = await call<Conversation>('GET', places.conversation(made.id));
    const shown = whole.messages?.[leaf]?.id;
    if (shown) await call('PATCH', places.conversation(made.id), { leaf: shown });
  }
  return made.id;
}

export function asMarkdown(title: string, messages: readonly Pick<Message, 'role' | 'text'>[],
  names: { user: string; assistant: string }) {
  return [`# ${title.replaceAll('\n', ' ')}`, ...messages.map((each) => `## ${names[each.role]}\n\n${each.text}`)]
    .join('\n\n') + '\n';
}

export function save(name: string, content: string, type: string) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

// Of a title, what every system takes as a name.
const fileName = (title: string) =>
  title.replace(/[^\p{L}\p{N} _-]/gu, '').trim().slice(0, 60) || 'conversation';

export async function exportAs(kind: 'json' | 'md', id: string, untitled: string,
  names: { user: string; assistant: string }) {
  const whole = await call<Conversation>('GET', places.conversation(id));
  const title = whole.title || untitled;
  if (kind === 'json') {
    return save(`${fileName(title)}.json`, JSON.stringify(whole, null, 2), 'application/json');
  }
  save(`${fileName(title)}.md`, asMarkdown(title, pathTo(whole.messages ?? [], whole.leaf), names), 'text/markdown');
}
