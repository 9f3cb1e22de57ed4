// How an answer's figures stand to the best of those beside it.
import type { Completion } from '../../lib/completion.svelte';
import { decimal, number, type Key } from '../../lib/i18n.svelte';

interface Row {
  key: Key;
  value: string;
  best: boolean;
  difference: string; // to the best, signed
}
interface Figure {
  key: Key;
  of: (each: Completion) => number | undefined;
  write: (value: number) => string;
  most?: boolean; // more is better; without: neither, or less
}

const ms = (value: number) => `${number(value)} ms`;
const figures: Figure[] = [
  { key: 'until_first_token', of: (each) => each.firstMs, write: ms },
  { key: 'total', of: (each) => each.totalMs, write: ms },
  { key: 'tokens_per_second', of: (each) => each.tokensPerSecond, write: (value) => decimal(value), most: true },
  { key: 'token_count', of: (each) => each.usage?.completion_tokens, write: (value) => number(value) },
];

export function percent(value: number, best: number) {
  const share = Math.round((value / best - 1) * 100);
  return `${share < 0 ? '−' : '+'}${Math.abs(share)} %`;
}

// Nothing before all have ended: who is last has no figures yet.
export function differences(all: readonly Completion[], at: number): Row[] {
  const ended = all.every((each) => each.totalMs !== undefined);
  const mine = all[at];
  if (!ended || !mine) return [];
  return figures.flatMap(({ key, of, write, most }) => {
    const value = of(mine);
    const values = all.map(of).filter((each) => each !== undefined);
    if (value === undefined) return [];
    const best = most ? Math.max(...values) : Math.min(...values);
    // How many tokens an answer has is no merit: the fewest are only what others are measured by.
    const isBest = value === best && key !== 'token_count';
    return [{ key, value: write(value), best: isBest && values.length > 1, difference: value === best ? '' : percent(value, best) }];
  });
}
