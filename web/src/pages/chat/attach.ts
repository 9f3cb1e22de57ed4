// Files that go along with a message, told by their content: text is read here, PDF and DOCX by the
// server. They are written behind the text as blocks, so that every model and every client sees them.
import { call, type AttachedFile, type FileFacts, type Message } from '../../lib/api';
import { bytes, t } from '../../lib/i18n.svelte';

export const maxFiles = 10;
const maxTextBytes = 256 << 10;
const maxDocumentBytes = 32 << 20;

export interface Attachment extends FileFacts {
  name: string;
  text: string;
}

// Names come from anywhere: what a person sees of one is a line, and no control turns it around.
export const plainName = (name: string) =>
  name.replace(/[\p{Cc}\p{Cf}`]/gu, '').slice(-100) || 'file';

// "3 pages · 512 words"
export const factsOf = ({ pages, words }: FileFacts) =>
  [pages ? t('pages', { n: pages }) : '', words ? t('words', { n: words }) : ''].filter(Boolean).join(' · ');

function textOf(content: Uint8Array) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
    return text.includes('\0') || text.startsWith('%PDF-') ? undefined : text;
  } catch {
    return undefined;
  }
}

const isDocument = (content: Uint8Array) => {
  const head = new TextDecoder('latin1').decode(content.subarray(0, 1024));
  return head.startsWith('PK\x03\x04') || head.includes('%PDF-');
};

// Throws what a person is told where the file is refused.
export async function readFile(file: File): Promise<Attachment> {
  const name = plainName(file.name);
  const checkSize = (limit: number) => {
    if (file.size > limit) throw new Error(t('file_too_large', { name, limit: bytes(limit) }));
  };
  checkSize(maxDocumentBytes);
  const content = new Uint8Array(await file.arrayBuffer());
  const text = textOf(content);
  if (text !== undefined) {
    checkSize(maxTextBytes);
    return { name, text };
  }
  if (!isDocument(content)) throw new Error(t('not_text', { name }));
  const form = new FormData();
  form.set('file', file, 'file');
  try {
    const read = await call<FileFacts & { text: string }>('POST', '/api/v1/documents', form);
    return { name, text: read.text, words: read.words ?? 0, notes: read.notes ?? [],
      ...(read.pages && { pages: read.pages }) };
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function withFiles(typed: string, attachments: readonly Attachment[]) {
  const files: AttachedFile[] = [];
  let text = typed;
  for (const { name, text: content, ...facts } of attachments) {
    const longest = Math.max(2, ...(content.match(/`+/g) ?? []).map((run) => run.length));
    const fence = '`'.repeat(longest + 1);
    const kind = /\.(\w{1,12})$/.exec(name)?.[1] ?? '';
    text += `${text ? '\n\n' : ''}${name}:\n${fence}${kind}\n`;
    files.push({ name, start: text.length, end: text.length + content.length, ...facts });
    text += `${content}\n${fence}`;
  }
  return { text, ...(files.length > 0 && { data: { files, typed: typed.length } }) };
}

// A message may come from an import: only what has the right kind is shown.
function plainFacts({ pages, words, notes }: FileFacts): FileFacts {
  return {
    ...(Number.isInteger(pages) && { pages }),
    ...(Number.isInteger(words) && { words }),
    ...(Array.isArray(notes) && { notes: notes.filter((each) => typeof each === 'string') }),
  } as FileFacts;
}

// The other way round. What does not fit the text is text.
export function partsOf(message: Message): { typed: string; attachments: Attachment[] } {
  const { files, typed } = message.data;
  const whole = { typed: message.text, attachments: [] };
  if (!Array.isArray(files) || typeof typed !== 'number') return whole;
  const fits = files.every((each, i) =>
    typeof each.name === 'string' && Number.isInteger(each.start) && Number.isInteger(each.end) &&
    each.start >= (files[i - 1]?.end ?? typed) && each.end >= each.start &&
    each.end <= message.text.length);
  if (!fits || typed < 0 || typed > message.text.length) return whole;
  return {
    typed: message.text.slice(0, typed),
    attachments: files.map((each) => ({
      name: plainName(each.name), text: message.text.slice(each.start, each.end), ...plainFacts(each) })),
  };
}
