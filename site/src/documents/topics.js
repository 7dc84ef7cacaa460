// The pages that are made of `ship help TOPIC`: environment variables, exit codes, error codes.
import { topic } from "./commands.js";
import { cell, table } from "./html.js";

/** All of them. */
export function topics() {
  return [
    { id: "reference/environment", file: "cli.md", title: "Environment variables of ship", text: environment() },
    { id: "reference/exit-codes", file: "cli.md", title: "Exit codes", text: exitCodes() },
    { id: "reference/error-codes", file: "cli.md", title: "Error codes", text: errorCodes() },
  ];
}

function environment() {
  const rows = topic("environment").split(/\n(?=\S)/).map((entry) => {
    const [name, ...meaning] = entry.split("\n").map((line) => line.trim());
    return [`\`${name}\``, cell(meaning.join(" "))];
  });
  const intro = "What `ship help environment` says: every variable that ship reads or passes on. A build sees those of them that are about builds, and nothing else of your environment.";
  return `${intro}\n\n${table(["Variable", "Meaning"], rows)}`;
}

function exitCodes() {
  const rows = topic("exit-codes").split("\n").map((line) => line.trim().split(/ {2}/)).map(([code, meaning]) => [`\`${code}\``, cell(meaning)]);
  return `What \`ship help exit-codes\` says.\n\n${table(["Code", "Meaning"], rows)}`;
}

/** Under each heading, lines of `CODE  status  meaning`. */
function errorCodes() {
  const groups = topic("error-codes").split(/\n\n/).map((group) => {
    const [heading, ...lines] = group.split("\n");
    const rows = lines.map((line) => line.trim().split(/ {2,}/)).map(([code, status, meaning]) => [`\`${code}\``, status, cell(meaning)]);
    return `## ${heading.replace(/:$/, "")}\n\n${table(["Code", "Status", "Meaning"], rows)}`;
  });
  const intro = "What `ship help error-codes` says. Codes are stable: scripts may compare them, the sentences beside them may change.";
  return [intro, ...groups].join("\n\n");
}
