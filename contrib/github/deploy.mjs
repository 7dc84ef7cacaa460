// Deploys a branch with ship, and says in its pull request where it is.
//
// The job has no secret of the host's: ship asks the platform for the job's identity. A pull request from somebody else's repository gets neither
// that identity nor a token that may write, and its code is not trusted: nothing is deployed for it.

import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";

/** By this a comment is found again, so that a pull request has one for each project and not one for each push. */
const MARK = "<!-- deployed with ship:";

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
const event = JSON.parse(readFileSync(process.env.GITHUB_EVENT_PATH, "utf8"));
const pull = event.pull_request;

if (pull && pull.head.repo?.full_name !== pull.base.repo.full_name) {
  console.log(`::notice::This pull request comes from ${pull.head.repo?.full_name ?? "a repository that is gone"}: it is not deployed.`);
  process.exit(0);
}

const deployed = deploy();
const lines = [`url=${deployed.url}`, `deployment=${deployed.deployment.id}`];
appendFileSync(process.env.GITHUB_OUTPUT, `${lines.join("\n")}\n`);
const text = summary(deployed);
appendFileSync(process.env.GITHUB_STEP_SUMMARY, text);
if (pull) {
  await comment(`${MARK} ${deployed.deployment.project} -->\n${text}`, `${MARK} ${deployed.deployment.project} -->`);
}

/** Runs ship, and gives what it says. Where it fails, the job's log says why, and the job ends as it did. */
function deploy() {
  const branch = process.env.GITHUB_HEAD_REF || process.env.GITHUB_REF_NAME;
  const words = ["deploy", input("folder") || ".", "--json", "--branch", branch];
  if (input("project")) words.push("--project", input("project"));
  if (!pull && branch === input("production-branch")) words.push("--prod");
  const env = { ...process.env, SHIP_HOST: input("host") };
  if (input("audience")) env.SHIP_AUDIENCE = input("audience");
  const { error, status, stdout } = spawnSync(input("ship") || "ship", words, { env, stdio: ["ignore", "pipe", "inherit"] });
  if (error) fail(`ship cannot be started: ${error.message}. Put it on the PATH in a step before this one.`, 1);
  if (status !== 0) fail(reason(String(stdout)) ?? `ship ended with ${status}`, status ?? 1);
  return JSON.parse(stdout);
}

/** Why a command failed: with `--json` it says so on its standard output. */
function reason(stdout) {
  try {
    const { message, details, causes, hints } = JSON.parse(stdout).error;
    return [message, ...details, ...causes, ...hints].join("\n");
  } catch {
    return undefined;
  }
}

function summary({ url, aliases, deployment, functions }) {
  const rows = [["Deployment", `<${url}>`], ...aliases.map((alias) => ["Also", `<${alias}>`]), ["Functions", functions.length]];
  if (deployment.commit) rows.push(["Commit", `\`${deployment.commit}\``]);
  const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n");
  return `**${deployment.project}** is deployed.\n\n| | |\n|---|---|\n${table}\n`;
}

/** Writes the comment of this project, in place of the one that is there. */
async function comment(body, mark) {
  const issue = `${process.env.GITHUB_API_URL}/repos/${process.env.GITHUB_REPOSITORY}/issues`;
  for (let page = 1; ; page += 1) {
    const comments = await ask("GET", `${issue}/${pull.number}/comments?per_page=100&page=${page}`);
    const ours = comments.find((comment) => comment.body?.startsWith(mark));
    if (ours) return ask("PATCH", `${issue}/comments/${ours.id}`, { body });
    if (comments.length < 100) return ask("POST", `${issue}/${pull.number}/comments`, { body });
  }
}

async function ask(method, url, content) {
  const headers = {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${input("github-token")}`,
    "user-agent": "ship",
    "x-github-api-version": "2022-11-28",
  };
  const response = await fetch(url, { method, headers, body: content && JSON.stringify(content) });
  // The site is there; only the word of it is not.
  if (!response.ok) {
    console.log(`::warning::The comment was not written: ${response.status} ${await response.text()}`);
    process.exit(0);
  }
  return response.json();
}

function fail(message, code) {
  // A command of the platform is one line; these are its words for the end of one.
  console.log(`::error::${message.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")}`);
  process.exit(code);
}
