// Keeps an open page as the folder is: loads it again when something changed, takes new stylesheets in place, and shows what went
// wrong on top of it. Everything it shows stands in a shadow tree with a stylesheet of its own, so neither the page's styles nor
// its content-security policy reach it, and it writes no markup.
(() => {
  // The version of a page that a framework's own server made, which looks after its changes itself.
  const FRAMEWORK = "framework";
  // The version of a page that stands for one that cannot be shown.
  const NONE = "";
  const STYLES = `
    :host { all: initial; position: fixed; inset: 0; z-index: 2147483647; margin: 0; border: 0; padding: 0; width: auto; height: auto;
      max-width: none; max-height: none; overflow: auto; background: #0009; color-scheme: light dark; }
    * { box-sizing: border-box; }
    section { --back: #fff; --text: #1c1917; --dim: #57534e; --line: #e7e5e4; --code: #f5f5f4; --bad: #b91c1c; --meant: #fee2e2;
      max-width: 60rem; margin: clamp(0.75rem, 6vh, 4rem) auto; border-top: 4px solid var(--bad); border-radius: 8px;
      background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; box-shadow: 0 10px 40px #0006; overflow: hidden; }
    header { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between; padding: 1rem 1.25rem 0.5rem; }
    h1 { margin: 0; font-size: 1.15rem; line-height: 1.3; overflow-wrap: anywhere; }
    button { flex: none; border: 1px solid var(--line); border-radius: 6px; padding: 0.25rem 0.6rem; background: none; color: var(--dim);
      font: inherit; font-size: 0.85rem; cursor: pointer; }
    button:hover { color: var(--text); border-color: var(--dim); }
    button:focus-visible { outline: 2px solid var(--bad); outline-offset: 2px; }
    .said { padding: 0 1.25rem 0.75rem; font: 13px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; tab-size: 4; }
    p { margin: 0.5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    .place { color: var(--bad); font-weight: 700; }
    pre.trace { border: 0; padding: 0; background: none; color: var(--dim); }
    pre.trace span { padding: 0; }
    pre { margin: 0.5rem 0; border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 0; background: var(--code); font: inherit;
      overflow-x: auto; }
    pre span { display: block; width: max-content; min-width: 100%; padding: 0 0.75rem; white-space: pre; }
    pre .meant { background: var(--meant); }
    pre .mark { color: var(--bad); font-weight: 700; }
    footer { padding: 0.75rem 1.25rem; border-top: 1px solid var(--line); color: var(--dim); font-size: 0.85rem; }
    @media (prefers-color-scheme: dark) {
      section { --back: #1c1917; --text: #f5f5f4; --dim: #a8a29e; --line: #44403c; --code: #0c0a09; --bad: #f87171; --meant: #450a0a; }
    }
    @media (max-width: 60rem) { section { margin: 0.75rem; } }
    @media (max-width: 30rem) { header, .said, footer { padding-left: 0.9rem; padding-right: 0.9rem; } }
  `;

  const script = document.currentScript;
  let version = script.dataset.version;
  const first = script.dataset.report;
  // A framework compares the page with what it has made itself.
  if (version === FRAMEWORK) script.remove();

  let overlay = null;
  // What was put aside: a report, and after which edit.
  let dismissed = null;
  let edits;
  let source;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // `  10 | code`, `> 11 | code`, `12 | code` and `     | ^`: an excerpt of a source.
  const isCode = (line) => /^(?:[> ]\s*)?\d* \|/.test(line);

  const preformatted = (lines, className) => {
    const pre = element("pre", undefined, className);
    pre.tabIndex = 0;
    for (const line of lines) {
      const kind = line.startsWith(">") ? "meant" : /^\s+\|\s*\^/.test(line) ? "mark" : "";
      pre.append(element("span", line, kind));
    }
    return pre;
  };

  const sentence = (line) => {
    const [, place, rest] = /^(\S+?:\d+(?::\d+)?):? (.*)$/.exec(line) ?? [];
    const paragraph = element("p", place ? undefined : line);
    if (place) paragraph.append(element("span", place, "place"), ` ${rest}`);
    return paragraph;
  };

  const said = (lines) => {
    const box = element("div", undefined, "said");
    // What follows an empty line is all that was printed, as it was.
    const end = lines.includes("") ? lines.indexOf("") : lines.length;
    let code = [];
    for (const line of [...lines.slice(0, end), ""]) {
      if (isCode(line)) {
        code.push(line);
        continue;
      }
      if (code.length) box.append(preformatted(code));
      code = [];
      if (line) box.append(sentence(line));
    }
    if (end < lines.length) box.append(preformatted(lines.slice(end + 1), "trace"));
    return box;
  };

  const hide = () => {
    overlay?.remove();
    overlay = null;
  };

  const dismiss = () => {
    dismissed = overlay && { key: overlay.dataset.report, edits };
    hide();
  };

  const show = (report) => {
    const key = JSON.stringify(report);
    if (key === overlay?.dataset.report || (key === dismissed?.key && edits === dismissed.edits)) return;
    hide();
    dismissed = null;
    const host = element("div");
    host.id = "ship-dev-failure";
    host.dataset.report = key;
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    root.adoptedStyleSheets = [sheet];
    const panel = element("section");
    panel.setAttribute("role", "alertdialog");
    panel.setAttribute("aria-labelledby", "title");
    const header = element("header");
    const title = element("h1", report.title);
    title.id = "title";
    header.append(title);
    if (version !== NONE) {
      const button = element("button", "Dismiss (Esc)");
      button.type = "button";
      button.addEventListener("click", dismiss);
      header.append(button);
    }
    panel.append(header, said(report.lines), element("footer", "Save the mended file, and this goes by itself."));
    root.append(panel);
    overlay = host;
    document.documentElement.append(host);
    // Above dialogs of the page, too.
    if (host.showPopover) {
      host.popover = "manual";
      host.showPopover();
    }
  };

  addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !overlay || version === NONE) return;
      event.stopImmediatePropagation();
      dismiss();
    },
    true,
  );

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
    edits = shown.edits;
    if (shown.failure) return show(shown.failure);
    dismissed = null;
    if (version === FRAMEWORK || shown.version === version) return hide();
    if (shown.styles_since !== version) return location.reload();
    version = shown.version;
    hide();
    takeStyles();
  };

  // A browser opens few connections to one server, so a page that nobody sees gives its own back.
  const listen = () => {
    source?.close();
    if (document.visibilityState === "hidden") return;
    source = new EventSource("/_ship/dev/events");
    source.onmessage = hear;
  };

  if (first) show(JSON.parse(first));
  document.addEventListener("visibilitychange", listen);
  listen();
})();
