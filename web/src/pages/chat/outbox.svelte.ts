// What a person is about to say in a conversation: the draft, the files beside it, and what waits for an
// answer to end. It stays with its conversation, whichever is shown.
import { places } from '../../lib/ahead';
import { call, type Conversation, type Message } from '../../lib/api';
import { state as app } from '../../lib/state.svelte';
import type { Attachment } from './attach';

export interface Said { typed: string; files: Attachment[] }

const temporary = 'temporary';
const kept = 'draft'; // of a conversation that is not there yet: this window alone keeps it
const soonMs = 400;
const small = 10_000; // characters, that a closing page can send

export class Outbox {
  draft = $state('');
  attachments = $state<Attachment[]>([]);
  reading = $state<string[]>([]); // names of files that are on their way into them
  queue = $state<Said[]>([]);
  saying = $state(false); // until the answer that was asked for is there
  behind = ''; // the message that the queue follows; '': the last one
  settings: Conversation['settings'] = {}; // of a conversation that is not there yet
  saved: Promise<unknown> | undefined; // the draft that is on its way to the server
  private unsaved = false; // the server has another draft
  private known = false; // what the server had is in ours
  private gone = false; // its conversation was deleted
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(public id: string) {} // '': there is no conversation yet

  take(): Said {
    const said = { typed: this.draft.trim(), files: this.attachments };
    this.draft = '';
    this.attachments = [];
    this.unsaved = true;
    clearTimeout(this.timer);
    if (!this.id) sessionStorage.removeItem(kept);
    return said;
  }
  // What could not be said, and what waited for it, stands in the field again, before what was written since.
  giveBack(...said: Said[]): void {
    const all = [...said, ...this.queue.splice(0)];
    if (this.gone) return boxOf('').giveBack(...all);
    this.draft = [...all.map((each) => each.typed), this.draft].filter(Boolean).join('\n\n');
    this.attachments = [...all.flatMap((each) => each.files), ...this.attachments];
    this.keep();
  }

  // The draft that is kept of what is shown now; neither it nor what was typed here meanwhile is lost.
  open(conversation: Conversation | undefined, messages: readonly Message[]) {
    if (this.id === temporary) return;
    const stored = (this.id ? conversation?.draft : sessionStorage.getItem(kept)) ?? '';
    const said = messages.some((each) => each.text === this.draft); // from another window
    const typed = this.unsaved || (stored === '' && !said) ? this.draft : '';
    this.draft = [this.unsaved && this.known ? '' : stored, typed].filter(Boolean).join('\n\n');
    this.known = true;
    if (this.draft !== stored) this.keep();
    else this.unsaved = false;
  }
  // Of what was said there is no draft on the server any more.
  emptied() {
    this.unsaved = false;
    if (this.draft || this.saved) this.keep(); // what is still on its way would be there again
  }
  keep() {
    this.unsaved = true;
    clearTimeout(this.timer);
    if (this.id === temporary) return;
    if (this.id) this.timer = setTimeout(() => this.save(), soonMs);
    else sessionStorage.setItem(kept, this.draft);
  }
  // One behind the other: of two that are on their way the older one could come last.
  save(): Promise<unknown> | undefined {
    clearTimeout(this.timer);
    if (this.saved || !this.known || !this.unsaved || this.gone || !this.id || this.id === temporary) return this.saved;
    this.unsaved = false;
    const { id, draft } = this;
    return (this.saved = call('PATCH', places.conversation(id), { draft }, { outlives: draft.length < small }).then(
      () => {
        this.saved = undefined;
        if (app.current?.id === id) app.change({ ...app.current, draft });
        return this.save();
      },
      (error: unknown) => {
        this.saved = undefined;
        this.unsaved = true;
        if (!this.gone) app.fail(error);
      },
    ));
  }

  // The conversation was deleted: what it never had stands in the field of a new one.
  end() {
    boxes.delete(this.id);
    this.gone = true;
    clearTimeout(this.timer);
    const typed = this.unsaved ? this.draft : '';
    if (typed || this.queue.length || this.attachments.length) this.giveBack(...this.queue.splice(0), { typed, files: this.attachments });
  }
}

const boxes = new Map<string, Outbox>();

// That of a temporary chat ends with it.
export function boxOf(id: string): Outbox {
  const known = boxes.get(id);
  if (known) return known;
  const box = new Outbox(id);
  if (id !== temporary) boxes.set(id, box);
  if (!id) box.open(undefined, []);
  return box;
}
app.whenGone = (id) => boxes.get(id)?.end();
// What was said without a conversation has made one.
export function nowOf(id: string, box: Outbox) {
  sessionStorage.removeItem(kept);
  boxes.delete('');
  boxes.set(id, box);
  box.id = id;
}
addEventListener('pagehide', () => boxes.forEach((box) => void box.save()));
// A page that is closed takes what waits along: whoever closes it is asked.
addEventListener('beforeunload', (event) => {
  if ([...boxes.values()].some((box) => box.queue.length || box.saying)) event.preventDefault();
});
