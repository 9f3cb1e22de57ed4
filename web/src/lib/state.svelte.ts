// What all pages share. The server's store is the truth: every change is asked for there, and what
// the event stream tells is shown, so that two windows are in step.
import { forget, places } from './ahead';
import { ApiError, call, type Conversation, type Message, type ModelRow, type Session } from './api';
import { t } from './i18n.svelte';

const togetherMs = 40; // pieces of an answer that come within it are shown together
const againMs = 5000; // until a stream that was refused is asked for again

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
  private chosen = $state(localStorage.getItem('model') ?? '');
  votes = $state(0); // grows when there may be new ones
  private wanted = $state(''); // the conversation that was opened last, which may be on its way
  private heard = 0; // messages of it that were told
  private reads = 0; // that are on their way and mend a gap in what was told
  private lists = 0; // that were asked for
  whenGone = (_id: string) => {}; // who keeps something of a conversation hears that it was deleted
  private events: EventSource | undefined;
  private deltas: Delta[] = []; // of the last moment, which are taken at once

  // Shows what went wrong instead of throwing; false: something did.
  attempt(work: () => Promise<unknown>): Promise<boolean> {
    this.problem = '';
    return this.follow(work);
  }
  // The same for what nobody asked for: what went wrong before stays to be read.
  async follow(work: () => Promise<unknown>) {
    try {
      await work();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }
  fail(error: unknown) {
    this.problem = error instanceof Error ? error.message : String(error);
  }

  // `first` asks for what the page shows; of what fails there the page itself tells.
  async begin(first: () => Promise<unknown>) {
    const { signed_in, name } = (this.session = await call<Session>('GET', places.session));
    // What this window keeps is for who typed it.
    if (!signed_in || sessionStorage.getItem('owner') !== name) sessionStorage.clear();
    if (!signed_in) return;
    sessionStorage.setItem('owner', name);
    try {
      await Promise.all([this.list(), this.listModels(), first().catch(() => undefined)]);
    } finally {
      forget();
      this.listen();
      document.addEventListener('visibilitychange', () => {
        if (document.hidden) this.events?.close();
        else void this.comeBack();
      });
    }
  }

  // Meanwhile another window may have signed somebody else in: nothing here is for him.
  private async comeBack() {
    const before = this.session;
    const now = before?.key_required ? await call<Session>('GET', places.session).catch(() => before) : before;
    if (now?.signed_in !== before?.signed_in || now?.name !== before?.name) return location.reload();
    if (!document.hidden) this.listen();
  }

  // Behind a gap in what is told. A piece that comes meanwhile shows the same gap.
  private async readAgain() {
    this.votes += 1;
    this.reads += 1;
    await this.list().finally(() => (this.reads -= 1));
    const id = this.wanted;
    const listed = this.conversations.find((each) => each.id === id);
    const works = this.messages.some((each) => each.status === 'working');
    if (!id || (!works && this.shows(id) && listed?.updated === this.current?.updated)) return;
    await this.open(id).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      this.gone(id);
    });
  }

  async list() {
    const asked = ++this.lists; // of two the last one counts, whichever comes first
    const { data } = await call<{ data: Conversation[] }>('GET', places.conversations(this.query, this.archived));
    if (asked === this.lists) this.conversations = data;
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
      this.reads += 1;
      try {
        found = await call<Conversation>('GET', places.conversation(id));
      } catch (error) {
        if (this.wanted === id && !this.shows(id)) this.take(undefined); // of the one before nothing stays
        throw error;
      } finally {
        this.reads -= 1;
      }
      if (this.wanted !== id) return;
    }
    this.take(found);
  }
  private take(found: Conversation | undefined) {
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
    events.onopen = () => {
      if (this.problem === t('events_lost')) this.problem = '';
      void this.follow(() => this.readAgain());
    };
    // A browser connects again by itself, but not where it was refused.
    events.onerror = () => {
      if (events !== this.events || events.readyState !== EventSource.CLOSED) return;
      this.problem ||= t('events_lost');
      setTimeout(() => events === this.events && !document.hidden && this.listen(), againMs);
    };
  }
  // The conversation was deleted: where it is shown, another page is.
  gone(id: string) {
    this.whenGone(id);
    this.conversations = this.conversations.filter((each) => each.id !== id);
    if (this.wanted !== id) return;
    if (location.hash === `#/chat/${id}`) location.hash = '#/chat';
    else void this.open('');
  }

  // The model for what names none: the one chosen last, else the newest that can chat.
  get model() {
    const is = (kind: string) => this.models.find((each) => (each.strata?.kind ?? '') === kind);
    const known = this.models.find((each) => each.name === this.chosen);
    return (known ?? is('chat') ?? is('') ?? this.models[0])?.name ?? '';
  }
  set chosenModel(name: string) {
    this.chosen = name;
    localStorage.setItem('model', name);
  }

  private readonly told: Record<string, (data: never) => void> = {
    conversation: (thread: Conversation) => {
      this.change(thread);
      void this.follow(() => this.list());
    },
    message: (message: Message) => this.put(message),
    delta: (delta: Delta) => {
      if (this.deltas.push(delta) > 1) return;
      setTimeout(() => this.deltas.splice(0).forEach((each) => this.grow(each)), togetherMs);
    },
    votes: () => (this.votes += 1),
    removed: ({ conversation }: { conversation: string }) => this.gone(conversation),
  };

  // What this window did is shown before the stream tells of it.
  change(thread: Conversation) {
    if (this.current?.id === thread.id) this.current = { ...this.current, ...thread };
  }
  add(message: Message) {
    if (!this.current || message.conversation !== this.current.id) return;
    if (this.messages.some((each) => each.id === message.id)) return;
    this.messages.push(message);
    this.change({ ...this.current, leaf: message.id });
  }

  private grow(delta: Delta) {
    const message = this.messages.findLast((each) => each.id === delta.message);
    if (!message || message.status !== 'working') return;
    const next = (message.sequence ?? 0) + 1;
    if (delta.sequence < next) return;
    if (delta.sequence > next) {
      if (this.reads === 0) void this.follow(() => this.open(this.wanted));
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

export const isMissing = (error: unknown) => error instanceof ApiError && error.status === 404;
export const state = new State();
