// What two have changed of the same: all of theirs, but for what is changed here since both had `base`.
export function merged<T extends object>(base: T, mine: T, theirs: T): T {
  const out = { ...theirs };
  for (const key of new Set([...Object.keys(base), ...Object.keys(mine)]) as Set<keyof T>) {
    if (JSON.stringify(mine[key]) !== JSON.stringify(base[key])) out[key] = mine[key];
  }
  return out;
}
