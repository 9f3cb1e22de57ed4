// What all pages share. The server's store is the truth: every change is asked for there, and what
// the event stream tells is shown, so that two windows are in step.
import { forget, places } from './ahead';
import { call, type Conversation, type Message, type ModelRow, type Session } from './api';

const togetherMs = 40; // pieces of an answer that come within it are shown together

interface Delta { message: string; sequence: number; text: string; reasoning: string }

class State {
  session = $state<Session>();
  conversations = $state<Conversation[]>([]);
  current = $state<Conversation>();
  messages = $state<Message[]>([]);
  models = $state<ModelRow[]>([]);
  problem = $state('');
  notice = $state('');
  asked = $state.raw<{ text: string; does: string; run: () => unknown }>(); // before it is done
  query = $state('');
  archived = $state(false);
  votes = $state(0); // grows when there may be new ones
  private wanted = ''; // the conversation that was opened last, which may be on its way
  private heard = 0; // messages of it that were told
  private events: EventSource | undefined;
  private deltas: Delta[] = []; // of the last moment, which are taken at once

  // Shows what went wrong instead of throwing.
  async attempt(work: () => Promise<unknown>) {
    await this.follow(async () => {
      await work();
      this.problem = '';
    });
  }
  // The same for what nobody asked for: what went wrong before stays to be read.
  private async follow(work: () => Promise<unknown>) {
    try {
      await work();
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  // `first` asks for what the page shows; of what fails there the page itself tells.
  async begin(first: () => Promise<unknown>) {
    this.session = await call<Session>('GET', places.session);
    if (!this.session.signed_in) return;
    try {
      await Promise.all([this.list(), this.listModels(), first().catch(() => undefined)]);
    } finally {
      forget();
      this.listen();
      document.addEventListener('visibilitychange', () => {
        if (document.hidden) this.events?.close();
        else this.listen();
      });
    }
  }

  // Behind a gap in what is told.
  private async readAgain() {
    this.votes += 1;
    await this.list();
    const id = this.wanted;
    const listed = this.conversations.find((each) => each.id === id);
    const works = this.messages.some((each) => each.status === 'working');
    if (id && (works || !this.shows(id) || listed?.updated !== this.current?.updated)) await this.open(id);
  }

  async list() {
    const place = places.conversations(this.query, this.archived);
    this.conversations = (await call<{ data: Conversation[] }>('GET', place)).data;
  }

  async listModels() {
    this.models = (await call<{ models: ModelRow[] }>('GET', places.models)).models;
  }

  // '': none. Of two that are opened one behind the other the last one is shown, whichever comes first.
  async open(id: string) {
    this.wanted = id;
    let found: Conversation | undefined;
    for (let before = -1; id && before !== this.heard; ) { // what was told meanwhile may be newer than what comes
      before = this.heard;
      found = await call<Conversation>('GET', places.conversation(id));
      if (this.wanted !== id) return;
    }
    this.messages = found?.messages ?? [];
    this.current = found;
  }
  shows(id: string) {
    return this.wanted === id && (this.current?.id ?? '') === id;
  }

  private listen() {
    this.events?.close();
    const events = (this.events = new EventSource('/api/v1/events'));
    for (const [name, take] of Object.entries(this.told)) {
      events.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as never));
    }
    // The first gap is that from the page's first questions to here.
    events.onopen = () => void this.follow(() => this.readAgain());
  }

  private readonly told: Record<string, (data: never) => void> = {
    conversation: (thread: Conversation) => {
      if (this.current?.id === thread.id) this.current = { ...this.current, ...thread };
      void this.follow(() => this.list());
    },
    message: (message: Message) => this.put(message),
    delta: (delta: Delta) => {
      if (this.deltas.push(delta) > 1) return;
      setTimeout(() => this.deltas.splice(0).forEach((each) => this.grow(each)), togetherMs);
    },
    votes: () => (this.votes += 1),
    removed: ({ conversation }: { conversation: string }) => {
      this.conversations = this.conversations.filter((each) => each.id !== conversation);
      if (this.current?.id === conversation) location.hash = '#/chat';
    },
  };

  private grow(delta: Delta) {
    const message = this.messages.findLast((each) => each.id === delta.message);
    if (!message || message.status !== 'working') return;
    const next = (message.sequence ?? 0) + 1;
    if (delta.sequence < next) return;
    if (delta.sequence > next) {
      void this.follow(() => this.open(this.wanted));
      return;
    }
    message.sequence = delta.sequence;
    message.text += delta.text;
    message.reasoning += delta.reasoning;
  }

  private put(message: Message) {
    if (message.conversation !== this.wanted) return;
    this.heard += 1;
    if (!this.shows(this.wanted)) return;
    const at = this.messages.findIndex((each) => each.id === message.id);
    if (at < 0) this.messages.push(message);
    else this.messages[at] = message;
  }
}

export const state = new State();
