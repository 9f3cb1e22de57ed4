// Do the tests of the app in a browser see what breaks? Each mutant breaks one thing in a copy of web/src;
// the copy is built, the test gets it in place of the program's page, and the mutant's flow must fail.
// First every flow runs with an unbroken copy, and must not.
//   node web/tests/mutants.mjs PROGRAM [WORD]   only mutants in whose flow, test or file WORD stands
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [program, word = ''] = process.argv.slice(2);
const web = join(import.meta.dirname, '..');
const copied = ['src', 'public', 'index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', 'licences.mjs'];
const skipped = 77;
const patienceMs = 30_000; // a mutant is often something that never comes

const mutants = JSON.parse(readFileSync(join(import.meta.dirname, 'mutants.json'), 'utf8'))
  .filter((each) => `${each.flow} ${each.test} ${each.file}`.includes(word));
const folder = mkdtempSync(join(tmpdir(), 'strata-mutants-'));
const site = join(folder, 'dist/site');

// Builds the copy with the mutant in it; null: as it is.
function build(mutant) {
  for (const each of copied) cpSync(join(web, each), join(folder, each), { recursive: true });
  if (mutant) {
    const file = join(folder, mutant.file);
    const text = readFileSync(file, 'utf8');
    assert.equal(text.split(mutant.from).length, 2, `${mutant.file} has "${mutant.from}" once`);
    writeFileSync(file, text.replace(mutant.from, () => mutant.to));
  }
  const { status, stderr } = spawnSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error'],
    { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

// Whether the flow's test fails.
function fails({ flow, test }) {
  const pattern = `^${test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const { status, stdout } = spawnSync(process.execPath,
    [`--test-name-pattern=${pattern}`, join(import.meta.dirname, `${flow}.mjs`), program],
    { encoding: 'utf8', env: { ...process.env, STRATA_SITE: site, STRATA_WEB: folder, STRATA_PATIENCE_MS: String(patienceMs) } });
  assert.notEqual(status, skipped, stdout);
  assert.match(stdout, /^# (pass|fail) [1-9]/m, `there is no test "${test}" in ${flow}.mjs`);
  return status !== 0;
}

symlinkSync(join(web, 'node_modules'), join(folder, 'node_modules'));
build(null);
const broken = mutants.filter(fails);
for (const each of broken) console.log(`FAIL  without a mutant: ${each.flow}: ${each.test}`);
const survived = [];
for (const each of mutants.filter((mutant) => !broken.includes(mutant))) {
  build(each);
  const killed = fails(each);
  if (!killed) survived.push(each);
  console.log(`${killed ? 'killed  ' : 'SURVIVED'}  ${each.file}: ${each.from} → ${each.to || '(nothing)'}`);
}
rmSync(folder, { recursive: true, force: true });
console.log(`${mutants.length} mutants, ${survived.length} survived, ${broken.length} flows fail without one`);
process.exit(survived.length + broken.length > 0 ? 1 : 0);
