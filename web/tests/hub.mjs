// A server of this machine that answers as the Hugging Face Hub does: search, a repository's files
// with their hashes, files that redirect to another path and can be asked for from their middle.
// While it holds, half of a file is sent and the rest waits.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const sha256 = (content) => createHash('sha256').update(content).digest('hex');

export class Hub {
  asked = []; // { url, range }
  waiting = [];
  holds = false;
  // repositories: 'OWNER/NAME' → { downloads, tags, gated, files: { path: Buffer } }
  constructor(repositories) {
    this.repositories = repositories;
    this.server = createServer((request, response) => {
      this.asked.push({ url: request.url, range: request.headers.range });
      try {
        this.answer(new URL(request.url, 'http://hub'), request, response);
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    });
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.address = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }
  close() {
    this.release();
    this.server.closeAllConnections();
    this.server.close();
  }
  hold() {
    this.holds = true;
  }
  release() {
    this.holds = false;
    for (const go of this.waiting.splice(0)) go();
  }

  answer(url, request, response) {
    const json = (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const parts = url.pathname.split('/').map(decodeURIComponent);
    if (url.pathname === '/api/models') return json(this.search(url.searchParams));
    const tree = url.pathname.startsWith('/api/models/') && parts[5] === 'tree';
    const repository = this.repositories[tree ? `${parts[3]}/${parts[4]}` : `${parts[1]}/${parts[2]}`];
    if (tree && repository) return json(this.tree(repository));
    if (repository && parts[3] === 'resolve') {
      return response.writeHead(302, { location: `/cdn/${parts[1]}/${parts[2]}/${parts.slice(5).join('/')}` }).end();
    }
    const stored = parts[1] === 'cdn' && this.repositories[`${parts[2]}/${parts[3]}`]?.files[parts.slice(4).join('/')];
    if (stored) return this.send(stored, request, response);
    return response.writeHead(404).end('Repository not found');
  }

  search(query) {
    const words = (query.get('search') ?? '').toLowerCase();
    const wanted = query.get('filter');
    return Object.entries(this.repositories)
      .filter(([name, each]) => name.toLowerCase().includes(words) && (!wanted || each.tags.includes(wanted)))
      .sort(([, a], [, b]) => b.downloads - a.downloads)
      .slice(0, Number(query.get('limit') ?? 1000))
      .map(([id, { downloads, tags, gated = false }]) => ({
        _id: sha256(id).slice(0, 24), id, downloads, likes: 1, tags, gated, pipeline_tag: 'text-generation',
        lastModified: '2026-01-02T03:04:05.000Z' }));
  }

  tree({ files }) {
    return Object.entries(files).map(([path, content]) => ({
      type: 'file', oid: sha256(path).slice(0, 40), size: content.length, path,
      ...(path.endsWith('.gguf') && { lfs: { oid: sha256(content), size: content.length, pointerSize: 134 } }) }));
  }

  send(content, request, response) {
    const etag = `"${sha256(content)}"`;
    const same = !request.headers['if-range'] || request.headers['if-range'] === etag;
    const from = same ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const head = { etag, 'accept-ranges': 'bytes', 'content-length': content.length - from };
    if (from > 0) head['content-range'] = `bytes ${from}-${content.length - 1}/${content.length}`;
    response.writeHead(from > 0 ? 206 : 200, head);
    const half = content.length >> 1;
    if (!this.holds) return response.end(content.subarray(from));
    const until = Math.max(from, half);
    response.write(content.subarray(from, until));
    const go = () => response.end(content.subarray(until));
    this.waiting.push(go);
    response.on('close', () => (this.waiting = this.waiting.filter((each) => each !== go))); // nobody waits any more
  }
}
