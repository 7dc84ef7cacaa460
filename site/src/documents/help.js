// The help of a command, as the program prints it, turned into Markdown.
import { escapeHtml } from "./html.js";

/** Options that every command has: said once, on the page of `ship` itself. */
const GLOBAL = "Global options";

/** Markdown of a help text; its headings have this level. */
export function helpAsMarkdown(help, level) {
  const [intro, ...blocks] = split(help);
  const heading = "#".repeat(level);
  const parts = blocks.map(({ name, lines }) => {
    if (name === GLOBAL) return "";
    if (name === "Usage" || name === "Examples") return `${heading} ${name}\n\n${code(lines)}`;
    return `${heading} ${name}\n\n${definitions(lines)}`;
  });
  return [prose(intro.lines), ...parts].filter(Boolean).join("\n\n");
}

/** The options that a help text shows because every command has them. */
export function globalOptions(help) {
  return definitions(split(help).find(({ name }) => name === GLOBAL)?.lines ?? []);
}

/** The introduction, and then what stands under each `Name:`. */
function split(help) {
  const blocks = [{ name: "", lines: [] }];
  for (const line of help.split("\n")) {
    const named = /^([A-Z][A-Za-z ]*):(?: (.*))?$/.exec(line);
    if (named) blocks.push({ name: named[1], lines: named[2] ? [named[2]] : [] });
    else blocks.at(-1).lines.push(line);
  }
  return blocks;
}

function prose(lines) {
  return lines.join("\n").trim();
}

function code(lines) {
  const text = lines.map((line) => line.trim()).filter(Boolean).join("\n");
  return `\`\`\`text wrap\n${text}\n\`\`\``;
}

/** Entries that begin at the left, each with its meaning beside or below it. */
function definitions(lines) {
  const entries = [];
  for (const line of lines.filter((line) => line.trim())) {
    const begins = /^ {2,6}(-{1,2}\S|[[<a-z])/.test(line) && !/^ {10}/.test(line);
    if (begins) {
      const [term, ...meaning] = line.trim().split(/ {2,}/);
      entries.push({ term, meaning });
    } else entries.at(-1)?.meaning.push(line.trim());
  }
  const items = entries.map(({ term, meaning }) => `<dt><code>${escapeHtml(term)}</code></dt><dd>${inline(meaning.join(" "))}</dd>`);
  return `<dl class="terms">\n${items.join("\n")}\n</dl>`;
}

function inline(text) {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}
