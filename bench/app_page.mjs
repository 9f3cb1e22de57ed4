// What bench/app.py measures, each as a line of JSON: {what, measured, bound, holds}.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { begin, open, say } from '../web/tests/harness.mjs';

const [lighthouseFolder, rounds] = [process.argv[3], Number(process.argv[4])];
const tell = (what, measured, bound, holds) => console.log(JSON.stringify({ what, measured, bound, holds }));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const spread = (values, digits = 0) => `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

const debugPort = 9412;
const { server, browser, end } = await begin({
  script: { models: [{ name: 'fast', tokens_per_second: 200, rules: [{ reply: 'A **word** and `code`, then\n\n'.repeat(2000) }] }] },
  flags: [`--remote-debugging-port=${debugPort}`],
});
const make = async (messages) => (await (await fetch(`${server.address}/api/v1/conversations`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages }) })).json()).id;

// Scores of the page with one answer, as a phone would have it: Lighthouse's own settings.
async function scores(id) {
  const { default: lighthouse } = await import(pathToFileURL(join(lighthouseFolder, 'node_modules/lighthouse/core/index.js')));
  const found = { performance: [], accessibility: [] };
  for (let i = 0; i < rounds; i++) {
    const { lhr } = await lighthouse(`${server.address}/#/chat/${id}`, {
      port: debugPort, output: 'json', logLevel: 'error', onlyCategories: Object.keys(found) });
    for (const each of Object.keys(found)) found[each].push(100 * lhr.categories[each].score);
  }
  tell(`Lighthouse, performance, median of ${rounds}`, spread(found.performance), 'at least 95', median(found.performance) >= 95);
  tell('Lighthouse, accessibility', spread(found.accessibility), '100', Math.min(...found.accessibility) === 100);
}

// Frames a second while the list is scrolled by its whole height and back, a step a frame.
async function scroll(what, id, last) {
  const view = await open(browser, server, { viewport: { width: 1280, height: 900 } });
  await view.goto(`${server.address}/#/chat/${id}`);
  await view.getByText(last).last().waitFor();
  const rates = [];
  for (let i = 0; i < rounds; i++) {
    rates.push(await view.getByRole('log').evaluate(async (list) => {
      const steps = 240;
      const times = [];
      for (let step = 0; step <= steps; step++) {
        await new Promise(requestAnimationFrame);
        times.push(performance.now());
        const at = step < steps / 2 ? step : steps - step;
        list.scrollTop = (list.scrollHeight - list.clientHeight) * (1 - at / (steps / 2));
      }
      return 1000 * steps / (times.at(-1) - times[0]);
    }));
  }
  tell(what, `${spread(rates)} frames/s`, 'at least 50', median(rates) >= 50);
  await view.context().close();
}

// Of one core, what the page does while an answer comes.
async function stream() {
  const view = await open(browser, server);
  const devtools = await view.context().newCDPSession(view);
  await devtools.send('Performance.enable');
  const read = async () => Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map((each) => [each.name, each.value]));
  await view.goto(server.address);
  await say(view, 'go on');
  await view.locator('article[data-role=assistant] p').nth(20).waitFor();
  const shares = [];
  for (let i = 0; i < rounds; i++) {
    const from = await read();
    await view.waitForTimeout(3000);
    const to = await read();
    shares.push(100 * (to.TaskDuration - from.TaskDuration) / (to.Timestamp - from.Timestamp));
  }
  tell('an answer of 200 tokens a second', `${spread(shares, 1)} % of a core`, 'under 20 %', median(shares) < 20);
  await view.context().close();
}

const words = (n) => Array.from({ length: n }, (_, i) => (i % 40 === 39 ? 'word.\n\n' : i % 9 === 8 ? '**bold** ' : 'word ')).join('');
const turns = Array.from({ length: 1000 }, (_, i) => [{ text: `question ${i}` },
  { role: 'assistant', text: `answer ${i}: ${words(60)}\n\n\`\`\`js\nconst a = ${i};\n\`\`\`` }]).flat();
await scores(await make(turns.slice(0, 4)));
await scroll('scrolling 2,000 messages', await make(turns), 'answer 999');
await scroll('scrolling an answer of 100,000 words', await make([{ text: 'write' }, { role: 'assistant', text: `${words(100_000)}the end of it` }]), 'the end of it');
await stream();
await end();
