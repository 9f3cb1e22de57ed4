// What a person is about to say in a conversation: the draft, the files beside it, and what waits for an
// answer to end. It stays with its conversation, whichever is shown.
import type { Attachment } from './attach';

export interface Said { typed: string; files: Attachment[] }

export class Outbox {
  draft = $state('');
  attachments = $state<Attachment[]>([]);
  reading = $state<string[]>([]); // names of files that are on their way into them
  queue = $state<Said[]>([]);
  saying = $state(false); // until the answer that was asked for is there
  behind = ''; // the message that the queue follows; '': the last one
  unsaved = false; // the server has another draft
  known = false; // what the server had is in ours
  saved: Promise<unknown> | undefined; // the draft that is on its way there

  take(): Said {
    const said = { typed: this.draft.trim(), files: this.attachments };
    this.draft = '';
    this.attachments = [];
    this.unsaved = true;
    return said;
  }
  // What could not be said, and what waited for it, stands in the field again, before what was written since.
  giveBack(...said: Said[]) {
    const all = [...said, ...this.queue.splice(0)];
    this.draft = [...all.map((each) => each.typed), this.draft].filter(Boolean).join('\n\n');
    this.attachments = [...all.flatMap((each) => each.files), ...this.attachments];
    this.unsaved = true;
  }
}

const boxes = new Map<string, Outbox>();

// That of a temporary chat ends with it.
export function boxOf(id: string): Outbox {
  const box = boxes.get(id) ?? new Outbox();
  if (id !== 'temporary') boxes.set(id, box);
  return box;
}
// A page that is closed takes what waits along: whoever closes it is asked.
addEventListener('beforeunload', (event) => {
  if ([...boxes.values()].some((box) => box.queue.length || box.saying)) event.preventDefault();
});

// What was said without a conversation has made one.
export function nowOf(id: string, box: Outbox) {
  boxes.set(id, box);
  boxes.delete('');
}
