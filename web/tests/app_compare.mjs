// Models beside each other in a browser against the real server: what each was asked, which vote is
// kept, and what a second window sees of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, begin, open, Server, until } from './harness.mjs';

const { server, browser, end } = await begin({ script: {
  models: [
    { name: 'ada', tokens_per_second: 200, context: 100_000, rules: [{ contains: 'slowly', reply: 'word '.repeat(50_000) }, { reply: 'From **ada**: {message}' }] },
    { name: 'bob', tokens_per_second: 40, rules: [{ reply: 'From bob, who says more of it: {message}' }] },
    { name: 'cleo', rules: [{ contains: 'fail', fail_after: 1, reply: 'a b c', fail_message: 'cleo is tired' }, { reply: 'From cleo: {message}' }] },
  ],
} });
async function window(hash, options = {}, at = server) {
  const view = await open(browser, at, options);
  await view.goto(`${at.address}/#/${hash}`);
  await view.locator('main h1').first().waitFor();
  return view;
}
const columns = (view) => view.locator('section[data-status]');
const ratings = (view) => view.getByRole('region', { name: 'Ratings' });
const rating = async (view, name) => {
  const row = ratings(view).locator('tr', { hasText: name });
  return Number(await row.locator('td').first().innerText());
};
async function ask(view, text) {
  const asked = [];
  view.on('request', (request) => request.url().endsWith('/v1/chat/completions') && asked.push(request.postDataJSON()));
  await view.getByLabel('Question to all').fill(text);
  await view.getByRole('button', { name: 'Ask all' }).click();
  return asked;
}
const ended = (view) => view.getByRole('button', { name: 'None is better' }).waitFor();

test('all are asked the same at once, blind, and a vote is kept that another window sees', async () => {
  const view = await window('compare');
  const second = await window('compare');
  await ratings(second).getByText('No votes yet.').waitFor();
  await view.getByRole('button', { name: 'Add a model' }).click();
  const asked = await ask(view, 'who is it?');
  await ended(view);
  assert.deepEqual(asked.map((each) => each.model).sort(), ['ada', 'bob', 'cleo']);
  for (const { model, ...rest } of asked) {
    assert.deepEqual(rest, { messages: [{ role: 'user', content: 'who is it?' }], stream: true, stream_options: { include_usage: true } });
  }
  // Neither a name nor a figure tells which is which.
  assert.deepEqual(await columns(view).locator('h2').allInnerTexts(), ['A', 'B', 'C']);
  assert.equal(await columns(view).locator('table').count(), 0);
  assert.equal(await view.getByRole('button', { name: 'Copy as code' }).count(), 0);
  await columns(view).getByText('From bob').waitFor();
  const texts = await columns(view).allInnerTexts();
  const at = texts.findIndex((each) => each.includes('From bob'));
  await view.getByRole('button', { name: `Best: ${'ABC'.charAt(at)}` }).click();
  await view.getByText('Your vote: bob').waitFor();
  assert.equal(await columns(view).nth(at).locator('h2').innerText(), 'bob');
  await columns(view).nth(at).getByRole('button', { name: 'Copy as code' }).click();
  const [, code] = /<<'JSON'\n(.*)\nJSON\n/s.exec(await view.getByRole('dialog').locator('pre').innerText());
  assert.deepEqual(JSON.parse(code), asked.find((each) => each.model === 'bob'));
  const { total, data } = await server.get('/api/v1/votes');
  assert.equal(total, 1);
  assert.deepEqual({ winner: data[0].winner, blind: data[0].blind, models: data[0].models.sort() },
    { winner: 'bob', blind: true, models: ['ada', 'bob', 'cleo'] });
  await ratings(second).locator('tr', { hasText: 'bob' }).waitFor(); // without a reload
  assert.equal(await rating(second, 'bob'), 1032);
  assert.equal(await rating(second, 'ada'), 984);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('speed and tokens stand beside the best', async () => {
  const view = await window('compare');
  await view.getByLabel('Names after the vote').uncheck();
  await ask(view, 'one two');
  await ended(view);
  assert.deepEqual(await columns(view).locator('h2').allInnerTexts(), ['ada', 'bob']);
  assert.equal(await columns(view).first().locator('strong').innerText(), 'ada'); // Markdown
  const rows = async (i) => Object.fromEntries((await columns(view).nth(i).locator('tr').allInnerTexts())
    .map((row) => row.split('\t')).map(([name, ...cells]) => [name, cells]));
  const [ada, bob] = [await rows(0), await rows(1)];
  for (const [model, shown] of [['ada', ada], ['bob', bob]]) {
    const answer = await (await fetch(`${server.address}/v1/chat/completions`, { method: 'POST',
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'one two' }] }) })).json();
    assert.equal(shown.Tokens[0], String(answer.usage.completion_tokens));
  }
  assert.equal(bob.Tokens[1], `+${Math.round((Number(bob.Tokens[0]) / Number(ada.Tokens[0]) - 1) * 100)} %`);
  for (const [name, sign] of [['First token', 1], ['Total', 1], ['tokens/s', -1]]) {
    const [[first, mine], [other, its]] = [ada[name], bob[name]];
    const [ours, theirs] = [first, other].map((each) => parseFloat(each.replaceAll(',', '')));
    const ahead = sign * (theirs - ours);
    if (first === other && mine === 'best' && its === 'best') continue; // as quick to the millisecond
    assert.equal([mine, its].filter((each) => each === 'best').length, 1, `${name} ${mine} ${its}`);
    if (ahead !== 0) assert.equal(ahead > 0 ? mine : its, 'best', name);
    assert.match(mine === 'best' ? its : mine, sign > 0 ? /^\+\d+ %$/ : /^(−\d+|\+0) %$/);
  }
  await view.getByRole('button', { name: 'None is better' }).click();
  await view.getByText('Your vote: None is better').waitFor();
  const { data } = await server.get('/api/v1/votes');
  assert.deepEqual({ ...data[0], id: 0, created: 0 }, { id: 0, created: 0, models: ['ada', 'bob'], winner: '', blind: false });
  assert.deepEqual(view.problems, []);
});

test('with no model at all the page says what it takes', async () => {
  const bare = await new Server(null).start();
  const view = await window('compare', {}, bare);
  await view.getByText('It takes two models to compare.').waitFor();
  assert.deepEqual(view.problems, []);
  bare.close();
});

test('any model is chosen in any column; that of another column changes places', async () => {
  const view = await window('compare/ada,bob');
  const chosen = () => view.getByRole('combobox').evaluateAll((all) => all.map((each) => each.value));
  assert.deepEqual(await view.getByLabel('Model 1').locator('option').allInnerTexts(), ['ada', 'bob', 'cleo']);
  await view.getByLabel('Model 1').selectOption('bob');
  assert.deepEqual(await chosen(), ['bob', 'ada']);
  await view.getByLabel('Model 2').selectOption('cleo');
  assert.deepEqual(await chosen(), ['bob', 'cleo']);
  assert.deepEqual(view.problems, []);
});

test('an answer that failed or was stopped is not voted on', async () => {
  const view = await window('compare/ada,cleo');
  const before = (await server.get('/api/v1/votes')).total;
  await ask(view, 'fail');
  await view.getByText('cleo is tired').waitFor();
  await view.getByText('No vote: no whole answer from cleo.').waitFor();
  await view.locator('section[data-status=done]').waitFor();
  assert.deepEqual((await columns(view).locator('h2').allInnerTexts()).sort(), ['ada', 'cleo']);
  assert.equal(await view.getByRole('button', { name: 'None is better' }).count(), 0);
  await ask(view, 'slowly');
  await columns(view).getByText('word word').first().waitFor();
  await view.locator('section[data-status=done]').waitFor(); // the other one
  await view.keyboard.press('Escape');
  await view.locator('section[data-status=stopped]').waitFor();
  assert.equal(await view.getByRole('button', { name: 'None is better' }).count(), 0);
  assert.equal((await server.get('/api/v1/votes')).total, before);
});

test('what is asked runs once, also behind a closed menu, and ends with its page', async () => {
  const view = await window('compare/ada,bob');
  const asked = await ask(view, 'slowly');
  const works = columns(view).and(view.locator('[data-status=working]'));
  await works.first().getByText('word').waitFor();
  await view.getByLabel('Question to all').press('Enter');
  await view.keyboard.press('Control+K');
  await view.getByRole('dialog').waitFor();
  await view.keyboard.press('Escape');
  await view.getByRole('dialog').waitFor({ state: 'detached' });
  await view.locator('section[data-status=done]').waitFor(); // the other one
  assert.equal(await works.count(), 1);
  assert.equal(asked.length, 2);
  const ended = view.waitForEvent('requestfailed', (each) => each.url().endsWith('/v1/chat/completions'));
  await view.evaluate(() => (location.hash = '#/models'));
  await ended;
  assert.deepEqual(view.problems, []);
});

test('a vote that is pressed twice counts once', async () => {
  const view = await window('compare/bob,cleo');
  const before = (await server.get('/api/v1/votes')).total;
  await ask(view, 'who twice?');
  await ended(view);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let votes = 0;
  await view.route('**/api/v1/votes', async (route) => {
    if (route.request().method() === 'POST') { votes += 1; await held; }
    await route.continue();
  });
  await view.getByRole('button', { name: 'None is better' }).dblclick();
  release();
  await view.getByText('Your vote:').waitFor();
  await until(async () => (await server.get('/api/v1/votes')).total >= before + votes);
  assert.equal((await server.get('/api/v1/votes')).total, before + 1);
  assert.deepEqual(view.problems, []);
});

test('a vote is taken back, and all are deleted, in every window', async () => {
  const votes = `${server.address}/api/v1/votes`;
  await fetch(votes, { method: 'DELETE' });
  for (const vote of [{ models: ['ada', 'bob', 'cleo'], winner: 'bob' }, { models: ['ada', 'bob'] }]) {
    const kept = await fetch(votes, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(vote) });
    assert.ok(kept.ok, await kept.text());
  }
  const [view, second] = [await window('compare'), await window('compare')];
  await ratings(view).getByText('votes: 2').waitFor();
  await ratings(view).getByRole('button', { name: 'Take back the last vote' }).click();
  await ratings(second).getByText('votes: 1').waitFor();
  assert.equal(await rating(second, 'bob'), 1032); // as if there had been no tie
  await ratings(second).locator('summary').click();
  await ratings(second).getByRole('button', { name: 'Delete all votes (1)' }).click();
  await ratings(view).getByText('No votes yet.').waitFor();
  assert.equal((await server.get('/api/v1/votes')).total, 0);
  assert.deepEqual([...view.problems, ...second.problems], []);
});

test('it is used without a mouse, in a window of a telephone, where words are long or in another script', async () => {
  const before = (await server.get('/api/v1/votes')).total;
  for (const [locale, title] of [['en', 'Compare'], ['de', 'Vergleichen'], ['hi', 'तुलना']]) {
    const view = await window('compare', { locale, viewport: { width: 375, height: 700 } });
    assert.equal(await view.locator('main h1').innerText(), title);
    await view.locator('form textarea').first().focus();
    await view.keyboard.type('by keyboard');
    await view.keyboard.press('Enter');
    await columns(view).getByText('by keyboard').nth(1).waitFor();
    const vote = columns(view).first().locator('button.main-button');
    await vote.focus();
    await view.keyboard.press('Enter');
    await vote.waitFor({ state: 'detached' });
    assert.ok(await view.evaluate(() => document.documentElement.scrollWidth <= innerWidth), locale);
    assert.deepEqual(view.problems, []);
    await view.context().close();
  }
  assert.equal((await server.get('/api/v1/votes')).total, before + 3);
});

test('votes are of the key that signed in, and the code asks for a key', async () => {
  const locked = await new Server({ models: [{ name: 'ada' }, { name: 'bob' }] }, ['--require-key']).start();
  const key = locked.key('mine');
  const signedIn = async (key, hash) => {
    const view = await window(hash, {}, locked);
    await view.getByLabel('Key').fill(key);
    await view.getByRole('button', { name: 'Sign in' }).click();
    await view.getByRole('navigation').waitFor();
    return view;
  };
  const mine = await signedIn(key, 'compare');
  await ask(mine, 'hello');
  await mine.getByRole('button', { name: 'Best: A' }).click();
  await ratings(mine).getByText('votes: 1').waitFor();
  const other = await signedIn(locked.key('other'), 'compare');
  await ratings(other).getByText('No votes yet.').waitFor();
  const also = await signedIn(key, 'playground');
  await also.getByRole('textbox', { name: 'Message 1' }).fill('hello');
  await also.getByRole('button', { name: 'Run', exact: true }).click();
  await also.locator('[role=tabpanel][data-status=done]').waitFor();
  await also.getByRole('button', { name: 'Copy as code' }).click();
  await also.getByText('Authorization: Bearer $STRATA_API_KEY').waitFor();
  await also.goto(`${locked.address}/#/compare`);
  await ratings(also).getByText('votes: 1').waitFor();
  locked.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`nothing to find for axe, ${colorScheme}`, async () => {
    const view = await window('compare', { colorScheme });
    await ratings(view).waitFor();
    assert.deepEqual(await axe(view), []);
    await ask(view, 'hello');
    await ended(view);
    await columns(view).getByText('hello').nth(1).waitFor();
    assert.deepEqual(await axe(view), []);
    await view.getByRole('button', { name: /^Best: A/ }).click();
    await view.getByText('Your vote').waitFor();
    assert.deepEqual(await axe(view), []);
  });
}

test.after(end);
