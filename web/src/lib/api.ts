// Calls to the server: only documented routes, only this origin.
import { ofApp, taken } from './ahead';
import { t } from './i18n.svelte';

export interface Message {
  id: string;
  conversation: string;
  parent: string;
  role: 'user' | 'assistant';
  status: 'working' | 'done' | 'cut';
  text: string;
  reasoning: string;
  created: number;
  sequence?: number;
  data: {
    model?: string;
    request?: AnswerRequest;
    usage?: { prompt_tokens: number; completion_tokens: number; tokens_per_second?: number };
    first_token_ms?: number;
    calls?: { id: string; name: string; arguments: string; output?: string }[];
    error?: string;
    notice?: string;
    files?: AttachedFile[]; // in the text, behind its first `typed` characters
    typed?: number;
  };
}
export interface AttachedFile extends FileFacts {
  name: string;
  start: number;
  end: number;
}
// What the server tells of a document that it has read.
export interface FileFacts {
  pages?: number;
  words?: number;
  notes?: string[]; // what of the file is not in its text
}
export interface AnswerRequest {
  model: string;
  system?: string;
  temperature?: number;
  max_tokens?: number;
  tools?: unknown[];
}
export interface Conversation {
  id: string;
  created: number;
  updated: number;
  title: string;
  folder: string;
  pinned: boolean;
  archived: boolean;
  draft: string;
  leaf: string;
  settings: { model?: string; system?: string; temperature?: number; max_tokens?: number; tools?: unknown[] };
  messages?: Message[];
}
export interface Session {
  key_required: boolean;
  signed_in: boolean;
  may: ('inference' | 'metrics' | 'models' | 'admin')[];
  name: string;
  version: string;
}
export interface ModelRow {
  name: string;
  size: number;
  digest: string;
  modified_at: string;
  details: { family: string; parameter_size: string; quantization_level: string; format: string };
  strata?: { kind: '' | 'chat' | 'base' }; // '': not known
}
export interface MemoryNeed {
  context: number;
  bytes: number;
  weights_bytes: number;
  cache_bytes: number;
  work_bytes: number;
}
export interface CatalogRow {
  name: string;
  kind: string;
  size: number;
  licence: string;
  description: string;
  context: number;
  sha256: string;
  sources: string[];
  memory: MemoryNeed;
  tokens_per_second: number;
}
export interface Machine {
  processor: string;
  cores: number;
  memory_bytes: number;
  available_bytes: number;
  memory_bytes_per_second: number;
  disk_free_bytes: number;
  offline: boolean;
  hub: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function fail(response: Response): Promise<never> {
  let text = response.statusText;
  try {
    const body = await response.json();
    const error = body.error ?? body;
    text = typeof error === 'string' ? error : [error.message, error.hint].filter(Boolean).join(': ');
  } catch {
    // no JSON: the status says it
  }
  throw new ApiError(response.status, text);
}

// `outlives` the page that is closed: of all such bodies a browser takes 64 kB along.
export async function raw(method: string, path: string, body?: unknown, { key, outlives = false }: { key?: string; outlives?: boolean } = {}) {
  const ahead = method === 'GET' && !key ? await taken(path)?.catch(() => undefined) : undefined;
  if (ahead?.ok) return ahead;
  const headers: Record<string, string> = { ...ofApp };
  const form = body instanceof FormData; // whose type has a boundary in it: the browser says it
  if (body !== undefined && !form) headers['content-type'] = 'application/json';
  if (key) headers['authorization'] = `Bearer ${key}`;
  const response = await fetch(path, {
    method,
    headers,
    keepalive: outlives,
    body: body === undefined ? null : form ? body : JSON.stringify(body),
  }).catch(() => {
    throw new ApiError(0, t('no_server')); // a browser says no more than that it failed
  });
  return response.ok ? response : fail(response);
}

export async function call<T>(...asked: Parameters<typeof raw>): Promise<T> {
  return (await raw(...asked)).json() as Promise<T>;
}
