// What the front page shows of a terminal stands in docs/start.md, where a test runs it.
import { readFileSync } from "node:fs";

import { docs } from "../documents/folder.js";

/** The lines of the block of a name, each with whether it is typed or printed. */
export function session(name) {
  const text = readFileSync(`${docs}/start.md`, "utf8");
  const block = new RegExp(`^\`\`\`console name="${name}"\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text);
  if (!block) throw new Error(`docs/start.md has no block that is called ${name}`);
  return block[1].trimEnd().split("\n").map((line) => ({ line, isTyped: line.startsWith("$ ") }));
}
