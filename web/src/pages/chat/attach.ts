// Files that go along with a message: read here, told by their content, and written behind the text
// as blocks, so that every model and every client sees them.
import type { AttachedFile, Message } from '../../lib/api';

export const maxFileBytes = 256 << 10;
export const maxFiles = 10;

export interface Attachment {
  name: string;
  text: string;
}
export class NotText extends Error {}

// Names come from anywhere: what a person sees of one is a line, and no control turns it around.
export const plainName = (name: string) =>
  name.replace(/[\p{Cc}\p{Cf}`]/gu, '').slice(-100) || 'file';

export async function readFile(file: File): Promise<Attachment> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.includes('\0')) throw new NotText();
    return { name: plainName(file.name), text };
  } catch {
    throw new NotText(plainName(file.name));
  }
}

export function withFiles(typed: string, attachments: readonly Attachment[]) {
  const files: AttachedFile[] = [];
  let text = typed;
  for (const { name, text: content } of attachments) {
    const longest = Math.max(2, ...(content.match(/`+/g) ?? []).map((run) => run.length));
    const fence = '`'.repeat(longest + 1);
    const kind = /\.(\w{1,12})$/.exec(name)?.[1] ?? '';
    text += `${text ? '\n\n' : ''}${name}:\n${fence}${kind}\n`;
    files.push({ name, start: text.length, end: text.length + content.length });
    text += `${content}\n${fence}`;
  }
  return { text, ...(files.length > 0 && { data: { files, typed: typed.length } }) };
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
      name: plainName(each.name), text: message.text.slice(each.start, each.end) })),
  };
}
