// Pages that a model wrote, as the app shows them, in a browser that connects and looks names up ahead of
// need. Who would be reached listens; the browser's own record of its network tells the names.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { axe, begin, open, until } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strata-preview-'));
const record = join(folder, 'network.json');
const { server, browser, end } = await begin({ profile: true, flags: [`--log-net-log=${record}`] });

const reached = [];
const listener = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname !== '/without-a-policy') reached.push(`${request.method} ${request.url}`);
  response.setHeader('content-type', 'text/html');
  response.end(pathname === '/without-a-policy' ? hostile('open') : '');
});
let connections = 0;
listener.on('connection', () => (connections += 1));
listener.listen(0); // of both families, as a name of this machine may mean either
await once(listener, 'listening');
const { port } = listener.address();
const far = `http://127.0.0.1:${port}`; // another origin
const waitMs = 1500; // for what should not come

// A browser says that it refused to load something; anything else is wrong.
const wrong = (view) => view.problems.filter((each) => !/violates the following Content Security Policy|asks another origin/.test(each));

async function show(text) {
  const view = await open(browser, server);
  const messages = [{ text: 'a page' }, { role: 'assistant', text }];
  const made = await (await fetch(`${server.address}/api/v1/conversations`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages }) })).json();
  await view.goto(`${server.address}/#/chat/${made.id}`);
  await view.getByRole('button', { name: 'Preview' }).first().waitFor();
  assert.equal(await view.locator('iframe').count(), 0); // nobody asked
  return view;
}

// Names of this machine that say who would look them up, and from where in the page.
const places = ['head', 'early', 'body', 'inner', 'svg', 'template', 'shadow', 'framed', 'sheet', 'image', 'script', 'handler', 'refresh', 'pressed'];
const name = (who, place) => `${who}-${place}.localhost`;
const hostile = (who) => {
  const to = (place) => `http://${name(who, place)}:${port}/`;
  const link = (place, rel = 'preconnect') => `<link rel=${rel} href='${to(place)}'>`;
  const act = (place) => `const made = document.createElement('link'); made.rel = 'preconnect'; made.href = '${to(place)}'; document.head.append(made)`;
  return `<!doctype html><html><head>${link('head')}${link('early', 'dns-prefetch')}<base href="${far}/">
<meta http-equiv=refresh content="3600;url=${to('refresh')}"><style>@import '${to('sheet')}'; p { color: red }</style></head>
<body onload="${act('handler').replaceAll('"', '&quot;')}">${link('body')}<div>${link('inner', 'dns-prefetch preconnect')}</div>
<svg width=9 height=9><foreignObject>${link('svg')}</foreignObject><script>document.documentElement.id = 'ran'</script></svg>
<template>${link('template')}</template><div><template shadowrootmode=open>${link('shadow')}</template></div>
<iframe srcdoc="${link('framed')}<script>top.postMessage(typeof RTCPeerConnection, '*')</script>"></iframe>
<object data="data:text/html,x"></object><embed src="data:text/html,x"><img src="${to('image')}">
<img id=own onerror="document.documentElement.id = 'ran'" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
<svg><a href="#"><set attributeName="href" to="${to('animated')}"/></a></svg><p><a href="${to('pressed')}">a link</a></p><script>document.documentElement.id = 'ran'; ${act('script')}</script></body></html>`;
};

test('a page that a model wrote is shown without its scripts, and nothing is connected to or looked up', async () => {
  const view = await show(`\`\`\`html\n${hostile('shown')}\n\`\`\``);
  await view.evaluate(() => {
    globalThis.heard = [];
    addEventListener('message', ({ data }) => globalThis.heard.push(data));
  });
  await view.getByRole('button', { name: 'Preview' }).click();
  const inside = view.frameLocator('iframe');
  const link = inside.getByText('a link');
  await link.hover();
  await view.mouse.down();
  await view.waitForTimeout(waitMs);
  await view.mouse.up();
  assert.equal(connections, 0);
  const frame = view.frames()[1];
  await frame.waitForURL(`${server.address}/frame/preview.html#`); // where a link leads
  assert.equal(view.frames().length, 2);
  assert.deepEqual(await view.evaluate(() => globalThis.heard), [{ ready: true }, { scripts: true }]);
  assert.deepEqual(await frame.evaluate(() => [origin, document.documentElement.id, document.baseURI.replace('#', ''), document.links[0].hash + document.links[0].host,
    document.querySelectorAll('script, link, base, meta, template, iframe, object, embed, set, [onload], [onerror]').length,
    document.getElementById('own').naturalWidth, getComputedStyle(document.querySelector('p')).color]),
  ['null', '', `${server.address}/frame/preview.html`, new URL(server.address).host, 0, 1, 'rgb(255, 0, 0)']);
  assert.deepEqual(wrong(view), []);
  assert.equal(await frame.evaluate(() => fetch('/api/v1/session').then(() => 'read', () => 'refused')), 'refused');
  await view.close();
});

test('one without scripts offers none to run, and is no error', async () => {
  const view = await show(`\`\`\`html\n<style>p { color: red }</style><p>calm</p><a href="#x">down</a>\n\`\`\`\n\n\`\`\`svg\n<svg xmlns="http://www.w3.org/2000/svg"><circle onclick="x" r="9"/></svg>\n\`\`\``);
  const told = view.evaluate(() => new Promise((resolve) => addEventListener('message', ({ data }) => 'scripts' in data && resolve(data.scripts))));
  await view.getByRole('button', { name: 'Preview' }).first().click();
  await view.frameLocator('iframe').getByText('calm').waitFor();
  assert.equal(await told, false);
  assert.equal(await view.getByRole('button', { name: 'Run its scripts' }).count(), 0);
  assert.deepEqual(view.problems, []);
  await view.getByRole('button', { name: 'Preview' }).first().click();
  await view.locator('iframe').waitFor({ state: 'detached' });
  await view.getByRole('button', { name: 'Preview' }).nth(1).click();
  await view.frameLocator('iframe').locator('circle').waitFor({ state: 'attached' });
  await view.getByRole('button', { name: 'Run its scripts' }).click();
  await view.frameLocator('iframe').locator('circle[onclick]').waitFor({ state: 'attached' });
  assert.deepEqual(wrong(view), []);
  await view.close();
});

test('its scripts run when that is wanted, without an origin, and reach nothing', async () => {
  const [before, heard] = [connections, reached.length];
  const view = await show(`\`\`\`html
<!doctype html><link rel=preconnect href="http://${name('run', 'head')}:${port}"><link rel=dns-prefetch href="http://${name('run', 'early')}:${port}">
<style>p { color: red }</style><p id=at>not yet</p><img src="${far}/i.png"><link rel=stylesheet href="${far}/s.css">
<script src="/assets/licences.txt"></script><script src="${far}/s.js"></script><iframe src="${far}"></iframe><form action="${far}"><input name=a></form>
<iframe srcdoc='<link rel=preconnect href="http://${name('run', 'framed')}:${port}">'></iframe><a id=out href="${far}" target=_top>x</a>
<script>
  const made = document.createElement('link');
  made.rel = 'preconnect';
  made.href = 'http://${name('run', 'script')}:${port}';
  document.head.append(made);
  const image = () => new Promise((ok, no) => { const i = new Image(); i.onload = ok; i.onerror = no; i.src = '/icon.png'; });
  const tries = { fetch: () => fetch('${far}'), own: () => fetch('/api/v1/session'), beacon: () => { if (!navigator.sendBeacon('${far}')) throw 0; },
    socket: () => new Promise((ok, no) => { const s = new WebSocket('${far.replace('http', 'ws')}'); s.onopen = ok; s.onerror = no; }), image,
    store: () => localStorage.length, cookie: () => document.cookie, outer: () => parent.document.title, call: () => new RTCPeerConnection(),
    window: () => { if (!open('${far}')) throw 0; }, top: () => { top.location = '${far}'; }, submit: () => document.forms[0].submit() };
  (async () => {
    const done = [];
    for (const [name, run] of Object.entries(tries)) try { await run(); done.push(name); } catch {}
    document.getElementById('at').textContent = 'ran as ' + origin + ', could: ' + done.join();
  })();
</script>
\`\`\``);
  const [preview, run] = ['Preview', 'Run its scripts'].map((name) => view.getByRole('button', { name }));
  await preview.focus();
  await view.keyboard.press('Enter');
  const inside = view.frameLocator('iframe');
  await view.getByText('a script may look up or connect to a name').waitFor();
  assert.equal(await inside.locator('#at').innerText(), 'not yet');
  assert.deepEqual(await axe(view), []);
  await run.focus();
  await view.keyboard.press('Enter');
  assert.equal(await view.locator('iframe').getAttribute('sandbox'), 'allow-scripts');
  await inside.getByText('ran as null, could: ').waitFor();
  // A beacon and a form that are not sent say nothing of it: who would have got them knows.
  assert.match(await inside.locator('#at').innerText(), /could: (beacon)?,?(submit)?$/);
  assert.equal(await inside.locator('p').evaluate((node) => getComputedStyle(node).color), 'rgb(255, 0, 0)');
  assert.deepEqual(await axe(view), []);
  await view.keyboard.press('Enter'); // and no more
  await inside.getByText('not yet').waitFor();
  await view.keyboard.press('Enter');
  await inside.getByText('ran as null, could: ').waitFor();
  const frame = view.frames().find((each) => each.url() === `${server.address}/frame/scripts.html`);
  await frame.evaluate((url) => setTimeout(() => (location = url)), `${far}/?secret`); // where to it would leave
  await until(() => frame.url() !== `${server.address}/frame/scripts.html`);
  assert.match(frame.url(), /^chrome-error:/);
  assert.match(view.url(), /#\/chat\//);
  await view.waitForTimeout(waitMs);
  assert.deepEqual(reached.slice(heard), []);
  assert.equal(connections, before);
  await preview.click();
  await view.locator('iframe').waitFor({ state: 'detached' });
  assert.equal(await view.getByText('a script may look up').count(), 0);
  await view.close();
});

test('from a server without a policy, the same page is heard: nothing above was merely missed', async () => {
  const view = await open(browser, server);
  await view.goto(`${far}/without-a-policy`);
  await view.getByText('a link').hover();
  await view.mouse.down();
  await until(() => connections > 5);
  const seen = (who, network = readFileSync(record, 'utf8')) => places.filter((place) => network.includes(name(who, place)));
  const heard = places.filter((place) => !['template', 'refresh'].includes(place));
  await until(async () => {
    await view.evaluate(() => fetch('/')); // the record is written down when there is more of it
    return seen('open').length >= heard.length;
  });
  await browser.close(); // writes the rest down
  assert.deepEqual(seen('open'), heard);
  assert.deepEqual(seen('shown'), []);
  assert.deepEqual(seen('run'), []);
});

test.after(async () => {
  await end();
  listener.close();
  listener.closeAllConnections();
  rmSync(folder, { recursive: true });
});
