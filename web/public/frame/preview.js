// Shows the page that the app around it sends, without its scripts. The policy of this document refuses
// what would load or run, but it is not asked when a browser looks up a name or connects ahead of need:
// what makes it do so is taken out, and what opens another document or changes where a link leads.
const out = 'script, link, base, meta[http-equiv], template, iframe, frame, frameset, object, embed, portal, fencedframe, [attributeName*=href i]';

addEventListener('message', (event) => {
  if (event.source !== parent || typeof event.data?.source !== 'string') return;
  // A document that is in no window loads and runs nothing.
  const page = new DOMParser().parseFromString(event.data.source, 'text/html');
  let scripts = page.querySelector('script') !== null;
  for (const each of page.querySelectorAll(out)) each.remove();
  for (const each of page.querySelectorAll('*')) {
    for (const { name, localName, value } of [...each.attributes]) {
      if (name.startsWith('on')) {
        each.removeAttribute(name);
        scripts = true;
      }
      // A browser connects to where a link leads as soon as a finger is on it.
      if (localName === 'href' && !/^(#|data:)/.test(value)) each.setAttribute(name, '#');
    }
  }
  document.documentElement.replaceWith(page.documentElement); // nodes: no text is read again
  parent.postMessage({ scripts }, '*');
}, { once: true });
parent.postMessage({ ready: true }, '*');
