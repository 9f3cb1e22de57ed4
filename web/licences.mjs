// The licences of what is bundled: held to a list of permissive ones, and written beside the bundle
// with their texts, as they ask for.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const permissive = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'Unlicense']);

// Packages that name no licence, with the file that is their licence, by SHA-256.
const fromText = {
  khroma: { licence: 'MIT', file: 'license', sha256: '66b333b0f66759a0b710459e03f7029abe17f4358114a128d2c972e642961b49' },
};

// What goes into the bundle without being a module of it: mermaid.min.js, which has all of mermaid's
// dependencies in it, and Tailwind's base styles.
export const wholePackages = ['mermaid', 'tailwindcss'];

// A choice ("or") needs one of its licences here, a sum ("and") all.
export function isPermissive(licence) {
  const plain = licence.replace(/^\((.*)\)$/, '$1');
  if (/[()]| WITH /.test(plain)) return false;
  return plain.split(' OR ').some((choice) => choice.split(' AND ').every((each) => permissive.has(each)));
}

// node_modules/a/node_modules/b → "a/node_modules/b" is the place of a package in the lock file.
export const packageOf = (file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[0].replace(/.*?node_modules\//, 'node_modules/');

function resolve(lock, name, from) {
  for (let place = from; ; place = place.slice(0, place.lastIndexOf('/node_modules/'))) {
    const found = `${place}/node_modules/${name}`.replace(/^\//, '');
    if (lock[found]) return found;
    if (!place.includes('/node_modules/')) break;
  }
  return lock[`node_modules/${name}`] ? `node_modules/${name}` : undefined;
}

// All that these places of the lock file need, themselves first.
export function closure(lock, places) {
  const all = new Set(places);
  for (const place of all) {
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = lock[place];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = resolve(lock, name, place);
      if (found) all.add(found);
    }
  }
  return [...all];
}

const textOf = (folder) => {
  const name = readdirSync(folder).find((each) => /^licen[cs]e|^copying/i.test(each));
  return name ? readFileSync(join(folder, name), 'utf8').trim() : '';
};

// The licence of a package, or an error that says why it may not be bundled.
export function licenceOf(root, lock, place) {
  const name = place.replace(/.*node_modules\//, '');
  let { license: licence } = lock[place];
  const known = fromText[name];
  if (!licence && known) {
    const file = join(root, place, known.file);
    const hash = existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : '';
    if (hash !== known.sha256) throw new Error(`${name}: its licence's text has changed: read it and name its hash in licences.mjs`);
    licence = known.licence;
  }
  if (!licence) throw new Error(`${name} names no licence: read its files and note them in licences.mjs`);
  if (!isPermissive(licence)) throw new Error(`${name} is under ${licence}, which is not in the list of licences.mjs`);
  return licence;
}

// The list with all texts. `modules`: files that are bundled. Throws where a licence is none of the list.
export function notices(root, modules) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const bundled = new Set(modules.map(packageOf).filter(Boolean));
  const whole = closure(lock, wholePackages.map((name) => `node_modules/${name}`));
  return [...new Set([...bundled, ...whole])].sort().map((place) => {
    const licence = licenceOf(root, lock, place);
    return `${place.replace(/.*node_modules\//, '')} ${lock[place].version}\n${licence}\n\n${textOf(join(root, place))}\n`;
  }).join(`\n${'-'.repeat(80)}\n\n`);
}
