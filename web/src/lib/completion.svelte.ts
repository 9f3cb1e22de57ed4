// One request of /v1/chat/completions while it is answered: the lines as they come, and what they
// make.
import { ApiError } from './api';

export interface Likely {
  token: string;
  logprob: number;
}
export interface Token extends Likely {
  top_logprobs: Likely[];
}
export interface Call {
  id: string;
  name: string;
  arguments: string;
}
export interface Choice {
  text: string;
  reasoning: string;
  calls: Call[];
  tokens: Token[];
  finish: string;
}
interface Piece {
  content?: string | null;
  reasoning_content?: string | null;
  tool_calls?: { index?: number; id?: string; function: { name?: string; arguments?: string } }[];
}
interface Answer {
  choices?: {
    index: number;
    delta?: Piece; // of a stream
    message?: Piece; // of a whole answer
    logprobs?: { content: Token[] } | null;
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  error?: { message: string; param?: string | null };
}

const bodyText = (body: Record<string, unknown>) => JSON.stringify(body, null, 2);
export const requestText = (body: Record<string, unknown>) =>
  `POST /v1/chat/completions\ncontent-type: application/json\n\n${bodyText(body)}`;

export class Completion {
  status = $state<'idle' | 'working' | 'done' | 'stopped' | 'failed'>('idle');
  request = $state('');
  response = $state(''); // the status line, headers that say something, and the body
  choices = $state<Choice[]>([]);
  usage = $state<{ prompt_tokens: number; completion_tokens: number }>();
  firstMs = $state<number>();
  totalMs = $state<number>();
  problem = $state('');
  param = $state(''); // the field at fault
  ignored = $state('');
  private abort: AbortController | undefined;
  private begun = 0;

  // How fast the answer came, without the wait for its beginning where that is known.
  get tokensPerSecond() {
    const n = this.usage?.completion_tokens ?? 0;
    const waited = n > 1 ? (this.firstMs ?? 0) : 0;
    const ms = (this.totalMs ?? 0) - waited;
    return n > 0 && ms > 0 ? ((waited ? n - 1 : n) * 1000) / ms : undefined;
  }

  async run(body: Record<string, unknown>) {
    const text = bodyText(body);
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    Object.assign(this, { status: 'working', response: '', choices: [], usage: undefined,
      firstMs: undefined, totalMs: undefined, problem: '', param: '', ignored: '' });
    this.request = requestText(body);
    this.begun = performance.now();
    try {
      const response = await fetch('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-strata-app': '1' },
        body: text,
        signal: abort.signal,
      });
      this.ignored = response.headers.get('x-strata-ignored') ?? '';
      const names = ['content-type', 'x-request-id', 'x-strata-ignored'];
      this.response = `${response.status} ${response.statusText}\n`
        + names.filter((name) => response.headers.has(name))
          .map((name) => `${name}: ${response.headers.get(name)}\n`).join('') + '\n';
      await this.read(response, body['stream'] === true && response.ok);
      this.status = 'done';
    } catch (error) {
      if (this.abort !== abort) return; // another one has begun
      this.status = abort.signal.aborted ? 'stopped' : 'failed';
      if (this.status === 'failed') this.problem ||= error instanceof Error ? error.message : String(error);
    } finally {
      if (this.abort === abort) this.totalMs = performance.now() - this.begun;
    }
  }

  stop() {
    this.abort?.abort();
  }

  private async read(response: Response, streamed: boolean) {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let held = '';
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      this.response += value;
      held += value;
      if (!streamed) continue;
      const lines = held.split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('data: ') && line !== 'data: [DONE]') this.take(JSON.parse(line.slice(6)) as Answer);
      }
    }
    if (!streamed) this.take(JSON.parse(held) as Answer);
  }

  private take(answer: Answer) {
    if (answer.error) {
      this.param = answer.error.param ?? '';
      this.problem = answer.error.message;
      throw new ApiError(0, answer.error.message);
    }
    if (answer.usage) this.usage = answer.usage;
    for (const { index, delta, message, logprobs, finish_reason } of answer.choices ?? []) {
      const choice = this.choiceAt(index);
      const piece = delta ?? message ?? {};
      if (piece.content || piece.reasoning_content || piece.tool_calls) {
        this.firstMs ??= performance.now() - this.begun;
      }
      choice.text += piece.content ?? '';
      choice.reasoning += piece.reasoning_content ?? '';
      piece.tool_calls?.forEach((each, at) => {
        const call = (choice.calls[each.index ?? at] ??= { id: '', name: '', arguments: '' });
        call.id += each.id ?? '';
        call.name += each.function.name ?? '';
        call.arguments += each.function.arguments ?? '';
      });
      if (logprobs?.content) choice.tokens.push(...logprobs.content);
      if (finish_reason) choice.finish = finish_reason;
    }
  }

  private choiceAt(index: number): Choice {
    while (this.choices.length <= index) {
      this.choices.push({ text: '', reasoning: '', calls: [], tokens: [], finish: '' });
    }
    return this.choices[index] as Choice;
  }
}
