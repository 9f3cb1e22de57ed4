// Work in parts, so that what a person does meanwhile does not wait for all of it.

// The rest is a task of its own.
export const pause = () => new Promise<void>((resolve) => setTimeout(resolve));

// What nobody waits for: behind the next picture, when nothing else is to be done.
export const idle = () => new Promise<void>((resolve) => {
  requestAnimationFrame(() => {
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve(), { timeout: 1000 });
    else setTimeout(resolve, 50);
  });
});

const atOnceMs = 4;
const queue: (() => void)[] = [];

function work() {
  const until = performance.now() + atOnceMs;
  try {
    do queue.shift()?.(); while (performance.now() < until && queue.length > 0);
  } finally { // what fails ends nothing but itself
    if (queue.length > 0) setTimeout(work);
  }
}

// In turn, some milliseconds at once.
export function inTurn(what: () => void) {
  if (queue.push(what) === 1) setTimeout(work);
}
