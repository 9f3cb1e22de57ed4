// svelte-check over the app's source, strict: no error and no warning; no text is said twice in a
// language's file, where the later one would win.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const program = join(root, 'node_modules/svelte-check/bin/svelte-check');
if (!existsSync(program)) {
  console.log('skipped: the packages of web/ are not here');
  process.exit(77);
}
const texts = join(root, 'src/messages');
for (const file of readdirSync(texts)) {
  const keys = [...readFileSync(join(texts, file), 'utf8').matchAll(/^\s*"(\w+)":/gm)].map((found) => found[1]);
  assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), [], file);
}
process.exit(spawnSync(process.execPath, [program, '--fail-on-warnings'], { cwd: root, stdio: 'inherit' }).status);
