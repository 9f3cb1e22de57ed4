// What is drawn of a model's text runs in a document without an origin that reaches nothing (its
// policy: the server's site.cpp). Such a frame is given its source once it says that it is ready.

interface Told {
  ready?: unknown;
  height?: unknown;
  error?: unknown;
  scripts?: unknown;
}

export function framed(path: string, title: string, source: object, told: (data: Told) => void = () => {}) {
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.title = title;
  frame.src = path;
  const hear = (event: MessageEvent) => {
    if (!frame.isConnected) return removeEventListener('message', hear);
    if (event.source !== frame.contentWindow) return;
    const data = (event.data ?? {}) as Told;
    // It has no origin that could be named.
    if (data.ready) frame.contentWindow?.postMessage(source, '*');
    told(data);
  };
  addEventListener('message', hear);
  const end = () => {
    removeEventListener('message', hear);
    frame.remove();
  };
  return { frame, end };
}
