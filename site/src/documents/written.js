// The pages that people write: docs/*.md and docs/guides/*.md.
import { readFileSync, readdirSync } from "node:fs";

import { docs } from "./folder.js";

/** Pages of which other pages are made. */
const SOURCES = new Set(["cli.md"]);

/** All written pages, as `{ id, file, title, text }`: the title is the first line, the text what follows it. */
export function written() {
  const files = readdirSync(docs, { recursive: true }).map(String);
  return files.filter((file) => file.endsWith(".md") && !SOURCES.has(file)).sort().map(read);
}

function read(file) {
  const [first, ...rest] = readFileSync(`${docs}/${file}`, "utf8").split("\n");
  if (!first.startsWith("# ")) throw new Error(`docs/${file}: the first line is not a title`);
  // What is said to those who edit sources is not said to those who read the site.
  const text = rest.join("\n").replace("; do not edit", "");
  return { id: file.slice(0, -".md".length), file, title: first.slice(2), text };
}
