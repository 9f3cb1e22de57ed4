// svelte-check over the app's source, strict: no error and no warning.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const program = join(root, 'node_modules/svelte-check/bin/svelte-check');
if (!existsSync(program)) {
  console.log('skipped: the packages of web/ are not here');
  process.exit(77);
}
process.exit(spawnSync(process.execPath, [program, '--fail-on-warnings'], { cwd: root, stdio: 'inherit' }).status);
