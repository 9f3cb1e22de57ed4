// Keeps the app's page and its files, so that it opens without the server. What the server says of
// anybody, conversations and answers, is never kept.
const kept = 'shell-1';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

// The newest page; one with other files makes the old ones go.
async function page(request) {
  const shell = await caches.open(kept);
  try {
    const fresh = await fetch(request);
    if (!fresh.ok) return fresh;
    const old = await shell.match('/');
    if (old && old.headers.get('etag') !== fresh.headers.get('etag')) {
      for (const each of await shell.keys()) await shell.delete(each);
    }
    await shell.put('/', fresh.clone());
    return fresh;
  } catch (error) {
    const old = await shell.match('/');
    if (old) return old;
    throw error;
  }
}

// Their names change with their content.
async function asset(request) {
  const shell = await caches.open(kept);
  const old = await shell.match(request);
  if (old) return old;
  const fresh = await fetch(request);
  if (fresh.ok) await shell.put(request, fresh.clone());
  return fresh;
}

self.addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== self.location.origin) return;
  if (mode === 'navigate' && pathname === '/') event.respondWith(page(event.request));
  if (pathname.startsWith('/assets/')) event.respondWith(asset(event.request));
});
