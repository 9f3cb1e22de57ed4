// What may be bundled by its licence, and that the program gives out the list with the texts.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { closure, isPermissive, licenceOf, notices, packageOf } from '../licences.mjs';
import { Server, skip } from './harness.mjs';

const root = join(import.meta.dirname, '..');
if (!existsSync(join(root, 'node_modules/mermaid'))) skip('the packages of web/ are not here');

test('a choice needs one permissive licence, a sum all of them', () => {
  for (const fine of ['MIT', '(MPL-2.0 OR Apache-2.0)', 'MIT AND ISC', 'GPL-3.0 OR MIT']) assert.ok(isPermissive(fine), fine);
  for (const not of ['GPL-3.0', 'MPL-2.0', 'MIT AND GPL-2.0', 'SEE LICENSE IN x', 'UNLICENSED', '', 'MIT WITH x', '(A OR (MIT))']) {
    assert.ok(!isPermissive(not), not);
  }
});

test('a package without a licence, under another one, or with a changed text is not bundled', () => {
  const lock = { 'node_modules/a': {}, 'node_modules/b': { license: 'AGPL-3.0' }, 'node_modules/khroma': {} };
  const folder = mkdtempSync(join(tmpdir(), 'strata-licences-'));
  mkdirSync(join(folder, 'node_modules/khroma'), { recursive: true });
  writeFileSync(join(folder, 'node_modules/khroma/license'), 'All rights reserved');
  assert.throws(() => licenceOf(folder, lock, 'node_modules/a'), /a names no licence/);
  assert.throws(() => licenceOf(folder, lock, 'node_modules/b'), /b is under AGPL-3.0/);
  assert.throws(() => licenceOf(folder, lock, 'node_modules/khroma'), /khroma: its licence's text has changed/);
  rmSync(folder, { recursive: true });
  assert.equal(licenceOf(root, lock, 'node_modules/khroma'), 'MIT');
});

test('what a package needs is found where Node finds it', () => {
  const lock = {
    'node_modules/a': { dependencies: { b: '1' } }, 'node_modules/b': { dependencies: { a: '1' } },
    'node_modules/a/node_modules/b': { peerDependencies: { c: '1', missing: '1' } }, 'node_modules/c': {},
  };
  assert.deepEqual(closure(lock, ['node_modules/a']), ['node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/c']);
  assert.equal(packageOf('/x/web/node_modules/@a/b/c.js'), 'node_modules/@a/b');
  assert.equal(packageOf('/x/web/node_modules/a/node_modules/b/c.js'), 'node_modules/a/node_modules/b');
  assert.equal(packageOf('/x/web/src/main.ts'), undefined);
  assert.match(notices(root, []), /khroma 2\.\d.*\nMIT\n\nThe MIT License/);
});

test('the program gives out the list', async () => {
  const server = await new Server().start();
  const answer = await fetch(`${server.address}/assets/licences.txt`);
  const text = await answer.text();
  server.close();
  if (answer.status === 404) return; // built without the app
  for (const name of ['svelte', 'marked', 'dompurify', 'katex', 'highlight.js', 'mermaid', 'd3', 'khroma', 'tailwindcss']) {
    assert.match(text, new RegExp(`^${name} \\d`, 'm'), name);
  }
});
