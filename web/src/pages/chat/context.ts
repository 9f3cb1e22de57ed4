// How much of a model's context a conversation takes.
import { call, type Message } from '../../lib/api';
import { idle } from '../../lib/later';

const trained = new Map<string, number>(); // what it was loaded with may change, this does not

// What it was loaded with, else what it was trained with; 0: not known.
async function ask(model: string): Promise<number> {
  await idle();
  const { models } = await call<{ models: { name: string; context_length?: number }[] }>('GET', '/api/ps');
  const loaded = models.find((each) => each.name === model)?.context_length;
  const known = loaded ?? trained.get(model);
  if (known) return known;
  const shown = await call<{ strata?: { context?: number } }>('POST', '/api/show', { model });
  trained.set(model, shown.strata?.context ?? 0);
  return trained.get(model) ?? 0;
}

export const contextOf = async (model: string) => (model ? ask(model).catch(() => 0) : 0);

// Tokens after the last answer of a path, as the server counted them; 0: there is none.
export function usedBy(path: readonly Message[]): number {
  const usage = path.findLast((each) => each.data.usage)?.data.usage;
  return usage ? usage.prompt_tokens + usage.completion_tokens : 0;
}
