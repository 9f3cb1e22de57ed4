// Draws what the page around sends, once, and tells how high it became.
addEventListener('message', async (event) => {
  if (event.source !== parent) return;
  const { source, dark } = event.data;
  try {
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: 'strict',
      theme: dark ? 'dark' : 'neutral',
      darkMode: dark,
      suppressErrorRendering: true,
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      maxTextSize: 50000,
      maxEdges: 500,
    });
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    const { svg } = await mermaid.render('diagram', source);
    document.getElementById('drawing').innerHTML = svg;
    parent.postMessage({ height: document.body.scrollHeight }, '*');
  } catch (error) {
    parent.postMessage({ error: String(error).slice(0, 200) }, '*');
  }
});
parent.postMessage({ ready: true }, '*');
