// The app in a browser against the real server: every flow asserts what is stored and what a second
// window sees.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { answers, axe, begin, done, open, say, Server, until } from './harness.mjs';

const { server, browser, end } = await begin();
const { get } = server;
const window = (options) => open(browser, server, options);
const opened = async (view, id) => {
  await view.goto(`${server.address}/#/chat/${id}`);
  return view;
};
const make = async (messages) => (await fetch(`${server.address}/api/v1/conversations`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages }) })).json();

test('a chat is streamed, stored and seen by another window', async () => {
  const first = await window();
  await first.goto(server.address);
  await say(first, 'hello there');
  await done(first);
  const [thread] = (await get('/api/v1/conversations')).data;
  assert.equal(thread.title, 'hello there');
  const second = await opened(await window(), thread.id);
  await done(second);
  await say(second, 'and again');
  await first.getByText('and again').first().waitFor();
  await first.locator('article[data-status=done]').nth(3).waitFor();
  assert.equal((await get(`/api/v1/conversations/${thread.id}`)).messages.length, 4);
  assert.deepEqual([...first.problems, ...second.problems], []);
});

test('an edit makes a branch that can be walked', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'first question');
  await done(view);
  await view.getByRole('button', { name: 'Edit' }).click();
  await view.locator('article textarea').fill('second question');
  await view.locator('article').getByRole('button', { name: 'Send' }).click();
  await view.locator('article[data-role=user]', { hasText: 'second question' }).waitFor();
  await done(view);
  await view.getByRole('button', { name: 'Previous version' }).click();
  await view.locator('article[data-role=user]', { hasText: 'first question' }).waitFor();
  assert.deepEqual(view.problems, []);
});

test('an answer survives a reload and a stop leaves what there is', async () => {
  const view = await window();
  await view.goto(server.address);
  await say(view, 'slowly');
  await view.getByText('word3').waitFor();
  await view.reload();
  await view.getByText('word3').waitFor();
  await view.getByRole('button', { name: 'Stop' }).click();
  await view.getByText('This answer was cut.').waitFor();
  assert.deepEqual(view.problems, []);
});

test('what is hostile in a message neither runs nor loads', async () => {
  const view = await window();
  await view.goto(server.address);
  const hostile = [
    '<script>window.hit=1</script>', '<img src=x onerror="window.hit=1">',
    '![x](https://evil.example/p.png)', '[a](javascript:window.hit=1)',
    '[b](data:text/html,<script>1</script>)', '<svg onload="window.hit=1">',
    '```html\n<script>window.hit=1</script>\n```', '<iframe srcdoc="<script>parent.hit=1</script>">',
  ];
  for (const text of hostile) {
    await view.goto(`${server.address}/#/chat`);
    await view.getByText('What shall we think about?').waitFor();
    await say(view, `${text}\n\nthe end`);
    await done(view);
    await answers(view).getByText('the end').waitFor(); // all of it is drawn
    const found = await answers(view).evaluateAll((nodes) => nodes.map((node) => ({
      active: node.querySelectorAll('script,img,iframe,object,embed,.prose svg').length,
      links: [...node.querySelectorAll('a')].map((link) => link.protocol),
    })));
    for (const each of found) {
      assert.equal(each.active, 0, text);
      for (const protocol of each.links) assert.match(protocol, /^(https?:|mailto:|:)$/);
    }
  }
  assert.equal(await view.evaluate(() => globalThis.hit), undefined);
  assert.deepEqual(view.problems, []);
});

// The pages, with what is there when they are drawn.
const pages = (id) => Object.entries({ chat: 'What shall we think about?', [`chat/${id}`]: 'question', playground: 'The answer will stand here.',
  compare: 'No votes yet.', models: 'To download', server: 'The last hour' });

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe on any page, ${colorScheme}`, async () => {
    const view = await window({ colorScheme });
    const thread = await make([{ text: 'question' }, { role: 'assistant', text: 'An **answer**, `code`' }]);
    for (const [hash, words] of pages(thread.id)) {
      await view.goto(`${server.address}/#/${hash}`);
      await view.getByRole('main').getByText(words, { exact: true }).waitFor();
      assert.deepEqual(await axe(view), [], hash);
    }
    assert.deepEqual(view.problems, []);
  });
}

test('no page is wider than a narrow window, also from right to left; the menu says that it goes on', async () => {
  const thread = await make([{ text: 'question' }, { role: 'assistant', text: 'a'.repeat(300) }, { text: 'a'.repeat(300) }, { role: 'assistant', text: `| a | b |\n|---|---|\n| ${'word '.repeat(40)} | ${'b'.repeat(200)} |` }]);
  const view = await window({ viewport: { width: 320, height: 640 } });
  const faded = () => view.getByRole('navigation').evaluate((menu) => ['--left', '--right'].map((side) => menu.style.getPropertyValue(side)));
  for (const direction of ['ltr', 'rtl']) {
    for (const [hash, words] of pages(thread.id)) {
      await view.goto(`${server.address}/#/${hash}`);
      await view.evaluate((dir) => (document.documentElement.dir = dir), direction);
      await view.getByRole('main').getByText(words, { exact: true }).waitFor();
      assert.ok(await view.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${direction} ${hash}`);
      assert.deepEqual(await axe(view), [], `${direction} ${hash}`);
    }
    const menu = view.getByRole('navigation');
    const [begin, end] = direction === 'ltr' ? ['0px,28px', '28px,0px'] : ['28px,0px', '0px,28px'];
    await until(async () => (await faded()).join() === end); // where the last page is
    await menu.evaluate((each) => each.scrollTo({ left: 0 })); // its beginning, on whichever side that is
    await until(async () => (await faded()).join() === begin);
  }
  assert.deepEqual(view.problems, []);
});

test('where a long conversation that was flung comes to rest, it is drawn', async () => {
  const thread = await make(Array.from({ length: 150 }, (_, i) => [{ text: `question ${i}` },
    { role: 'assistant', text: `answer **${i}**\n\n${'more words\n\n'.repeat(10)}` }]).flat());
  const view = await opened(await window(), thread.id);
  const drawn = (i) => answers(view).nth(i).locator('strong');
  await drawn(149).waitFor();
  for (const [to, at] of [[0, 0], [Infinity, 149], [0, 0]]) {
    await view.getByRole('log').evaluate(async (list, end) => {
      const far = Math.min(end ?? Infinity, list.scrollHeight);
      const step = 2 * list.clientHeight * Math.sign(far - list.scrollTop);
      for (let top = -1; top !== list.scrollTop; ) {
        top = list.scrollTop;
        list.scrollTop += step;
        await new Promise(requestAnimationFrame);
      }
    }, to === Infinity ? null : to);
    await drawn(at).waitFor();
  }
  assert.deepEqual(view.problems, []);
});

test('a long conversation opens at its end, and what is far is drawn when it comes near', async () => {
  const turns = Array.from({ length: 40 }, (_, i) => [{ text: `question ${i}` },
    { role: 'assistant', text: `answer **${i}**\n\n${'more words\n\n'.repeat(20)}` }]).flat();
  const thread = await make(turns);
  const view = await opened(await window(), thread.id);
  const drawn = (i) => answers(view).nth(i).locator('strong');
  const atEnd = () => view.waitForFunction(() => {
    const last = [...document.querySelectorAll('article')].at(-1).getBoundingClientRect();
    return last.top < innerHeight && last.bottom < innerHeight;
  });
  await drawn(39).waitFor();
  await atEnd();
  assert.equal(await drawn(3).count(), 0);
  assert.match(await answers(view).nth(3).locator('.prose').textContent(), /^answer \*\*3\*\*\n/); // for "find in page"
  await view.getByRole('log').evaluate((list) => list.scrollTo(0, 0));
  await drawn(3).waitFor();
  await view.getByRole('button', { name: 'To the end' }).click();
  await atEnd();
  await say(view, 'slowly'); // its words are seen as they come
  await view.getByText('word12').waitFor();
  await atEnd();
  await view.getByRole('button', { name: 'Stop' }).click();
  assert.deepEqual(view.problems, []);
});

test('a killed server keeps what was streamed', async (t) => {
  const alone = await new Server().start(); // it has stored nothing else
  t.after(() => alone.close());
  const view = await open(browser, alone);
  await view.goto(alone.address);
  await say(view, 'slowly');
  await view.getByText(/^word1 word2 .*word12/).waitFor();
  const [thread] = (await alone.get('/api/v1/conversations')).data;
  const written = ['strata.db', 'strata.db-wal'].map((name) => join(alone.home, name)); // some times a second
  await until(() => written.some((file) => existsSync(file) && readFileSync(file).includes('word1 word2')));
  await alone.kill();
  await alone.start();
  const kept = (await alone.get(`/api/v1/conversations/${thread.id}`)).messages[1];
  assert.equal(kept.status, 'cut');
  assert.match(kept.text, /^word1 word2/);
});

test.after(end);
