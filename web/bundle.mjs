// dist/site → dist/site.bundle: what web/embed.cpp builds into the program and src/api/site.cpp
// reads. A line with the list's length, the list as JSON, then every file, gzipped.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const root = new URL('./dist/site/', import.meta.url).pathname;
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};
const list = [];
const parts = [];
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const file = join(entry.parentPath, entry.name);
  const name = file.slice(root.length);
  const type = types[extname(name)];
  if (!type) throw new Error(`no content type for ${name}`);
  const content = readFileSync(file);
  const packed = gzipSync(content, { level: 9 });
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 32);
  list.push({
    path: name === 'index.html' ? '/' : `/${name}`,
    type,
    etag: `"${hash}"`,
    keeps: name.startsWith('assets/') && !name.endsWith('.txt'), // whose name has no hash in it
    size: packed.length,
  });
  parts.push(packed);
}
const head = Buffer.from(JSON.stringify(list));
const bundle = Buffer.concat([Buffer.from(`STRATA-SITE-1 ${head.length}\n`), head, ...parts]);
writeFileSync(join(root, '../site.bundle'), bundle);
console.log(`site.bundle: ${list.length} files, ${bundle.length} bytes`);
