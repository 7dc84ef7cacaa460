// Keeps an open page as the folder is: loads it again when something changed, takes new stylesheets in place, and shows what
// keeps the site from being built.
(() => {
  const OVERLAY = "ship-dev-failure";
  let version = document.currentScript.dataset.version;
  let source;

  const overlay = () => document.getElementById(OVERLAY);

  const show = (lines) => {
    let box = overlay();
    if (!box) {
      box = document.createElement("pre");
      box.id = OVERLAY;
      box.style.cssText =
        "all:initial;position:fixed;inset:0;z-index:2147483647;overflow:auto;box-sizing:border-box;padding:2rem;" +
        "background:#18181bf2;color:#fecaca;font:14px/1.5 ui-monospace,monospace;white-space:pre-wrap;tab-size:4";
      document.documentElement.append(box);
    }
    box.textContent = lines.join("\n");
  };

  const takeStyles = () => {
    for (const link of document.querySelectorAll('link[rel~="stylesheet"][href]')) {
      const url = new URL(link.href, location.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("ship-dev", version);
      link.href = url.href;
    }
  };

  const hear = ({ data }) => {
    const shown = JSON.parse(data);
    if (shown.failure) return show(shown.failure);
    if (shown.version === version) return overlay()?.remove();
    if (shown.styles_since !== version) return location.reload();
    version = shown.version;
    overlay()?.remove();
    takeStyles();
  };

  // A browser opens few connections to one server, so a page that nobody sees gives its own back.
  const listen = () => {
    source?.close();
    if (document.visibilityState === "hidden") return;
    source = new EventSource("/_ship/dev/events");
    source.onmessage = hear;
  };

  document.addEventListener("visibilitychange", listen);
  listen();
})();
