// What the server tells, as it comes: server-sent events, asked for again where they break off.
// Read some times a second, all that came meanwhile at once: with EventSource each piece of an answer
// is work of its own for the page, two hundred times a second where a model is fast.
import { ApiError, raw } from './api';

const togetherMs = 40;
const againMs = 1000;
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Events {
  private readonly over = new AbortController();

  // `again` is called when they go on behind a gap.
  constructor(
    private readonly path: string,
    private readonly take: (name: string, data: unknown) => void,
    private readonly again: () => void,
  ) {
    void this.listen();
  }
  close() {
    this.over.abort();
  }

  private async listen() {
    const { signal } = this.over;
    for (let first = true; !signal.aborted; first = false) {
      try {
        const { body } = await raw('GET', this.path, undefined, undefined, signal);
        if (!first) this.again();
        if (body) await this.read(body.getReader());
      } catch (error) {
        if (error instanceof ApiError && error.status < 500) return; // it will not be otherwise
      }
      await wait(againMs);
    }
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>) {
    const decoder = new TextDecoder();
    let held = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (held + decoder.decode(value, { stream: true })).split('\n\n');
      held = events.pop() ?? '';
      for (const event of events) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? []; // as the server writes them
        if (name && data) this.take(name, JSON.parse(data));
      }
      await wait(togetherMs);
    }
  }
}
