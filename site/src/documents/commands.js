// One page for each command, made of docs/cli.md, which is the help of the program itself.
import { readFileSync } from "node:fs";

import { docs } from "./folder.js";
import { globalOptions, helpAsMarkdown } from "./help.js";
import { cell, table } from "./html.js";

const SECTION = /^## `(.*)`\n\n```text\n([\s\S]*?)\n```$/gm;

function sections() {
  const text = readFileSync(`${docs}/cli.md`, "utf8");
  return [...text.matchAll(SECTION)].map(([, name, help]) => ({ words: name.split(" "), help }));
}

/** The text of `ship help TOPIC`. */
export function topic(name) {
  const found = sections().find(({ words }) => words[1] === "help" && words[2] === name);
  if (!found) throw new Error(`docs/cli.md has no help of ${name}`);
  return found.help;
}

/** A page for `ship` itself and one for each of its commands, with the commands below it. */
export function commands() {
  const all = sections().filter(({ words }) => words[1] !== "help");
  const own = all.filter(({ words }) => words.length <= 2);
  return own.map(({ words, help }) => {
    const below = all.filter((other) => other.words.length > 2 && other.words[1] === words[1]);
    const nested = below.map((other) => `## \`${other.words.join(" ")}\`\n\n${helpAsMarkdown(other.help, 3)}`);
    return {
      id: `reference/commands/${words[1] ?? "ship"}`,
      file: "cli.md",
      contents: 2,
      title: words.join(" "),
      text: [words.length === 1 ? overview(help, all) : helpAsMarkdown(help, 2), ...nested].join("\n\n"),
    };
  });
}

/** The page about `ship` itself: what it says, every command with what it does, and what all of them take. */
function overview(help, all) {
  const rows = all.filter(({ words }) => words.length === 2).map(({ words, help }) => [
    `[\`${words.join(" ")}\`](reference/commands/${words[1]}.md)`,
    cell(help.split("\n")[0]),
  ]);
  return [
    "What `ship --help` says. Each command has a page of its own here, and `ship help COMMAND` says the same.",
    `\`\`\`text\n${help}\n\`\`\``,
    "## Every command",
    table(["Command", "What it does"], rows),
    "## Options of every command",
    globalOptions(all[1].help),
  ].join("\n\n");
}
