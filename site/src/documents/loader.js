// Gives Starlight its pages: those that people write and those that are made of the program's own descriptions.
import { pathToFileURL } from "node:url";

import { createMarkdownProcessor } from "@astrojs/markdown-remark";

import { api } from "./api.js";
import { commands } from "./commands.js";
import { docs } from "./folder.js";
import { shipToml } from "./schema.js";
import { topics } from "./topics.js";
import { written } from "./written.js";

/** All pages of the documentation, as `{ id, file, title, text }`, some with `contents`. */
export function pages() {
  return [...written(), ...commands(), shipToml(), ...api(), ...topics()];
}

/** A loader for a collection of these pages. */
export function documents() {
  return {
    name: "documents",
    async load({ config, store, parseData, watcher }) {
      const processor = await createMarkdownProcessor(config.markdown);
      store.clear();
      for (const page of pages()) {
        const data = await parseData({ id: page.id, data: frontmatter(page) });
        const { code: html, metadata } = await processor.render(page.text, { fileURL: pathToFileURL(`${docs}/${page.id}.md`) });
        store.set({ id: page.id, data, body: page.text, rendered: { html, metadata }, filePath: `docs/${page.file}` });
      }
      watcher?.add(docs);
    },
  };
}

/** What Starlight is told about a page; `contents` is how deep the list of its headings goes. */
function frontmatter({ title, text, contents }) {
  const tableOfContents = contents ? { minHeadingLevel: 2, maxHeadingLevel: contents } : undefined;
  return { title, description: firstSentence(text), tableOfContents };
}

/** What a page begins with, without marks, for search engines and link previews. */
function firstSentence(text) {
  const paragraph = text.replace(/<!--[\s\S]*?-->/g, "").split(/\n\s*\n/).find((part) => /^\s*[A-Z`*]/.test(part)) ?? "";
  const plain = paragraph.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "").replace(/\s+/g, " ").trim();
  return /^.{20,200}?[.:](?= |$)/.exec(plain)?.[0].replace(/:$/, ".") ?? plain.slice(0, 200);
}
