import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";

const kind = path.dirname(process.env.SHIP_FUNCTION);
if (kind === "api/slow") await new Promise((resolve) => setTimeout(resolve, 9_000));
if (kind === "api/deaf") {
  console.log("waiting for nothing");
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
}

const MEGABYTE = 1 << 20;
let asked = 0;
const kept = [];

// Runs a line of the shell in a session of its own.
const run = (line) => spawn("/bin/sh", ["-c", line], { detached: true, stdio: "inherit" }).unref();

const never = () => new Promise(() => setInterval(() => {}, 1000));

const connect = (to) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(to, () => resolve("connected"));
    socket.once("error", reject).once("timeout", () => reject(new Error("timed out")));
  });

// Writes what goes out without Node's leave. Resolves when it is written, or nobody reads it.
function say(response, pieces) {
  const { socket } = response;
  return new Promise((resolve) => {
    socket.once("close", resolve).once("error", resolve);
    const next = (count) => (count === pieces.length ? socket.end() : socket.write(pieces[count], () => next(count + 1)));
    next(0);
  });
}

const behaviours = {
  never,
  busy: () => {
    for (;;);
  },
  exit: () => process.exit(3),
  halfway: (query, response) => {
    response.write("begun\n", () => process.exit(3));
    return never();
  },
  "every-second": () => (++asked % 2 === 0 ? process.exit(3) : "behaved"),
  segfault: () => {
    process.kill(process.pid, "SIGSEGV");
    return never();
  },
  daemon: () => {
    run("(sleep 1000 &)");
    return "behaved";
  },
  outlive: () => {
    run("(while :; do echo still here; sleep 0.01; done &)");
    return never();
  },
  fork: () => {
    run("while :; do sleep 1000 & done");
    return never();
  },
  ignore: () => {
    process.removeAllListeners("SIGTERM").on("SIGTERM", () => {});
    run("trap '' TERM; (sleep 1000 &)");
    return "behaved";
  },
  flood: () => {
    for (let count = 0; count < 64; count++) fs.writeSync(1, "x".repeat(MEGABYTE));
    return "flooded";
  },
  descriptors: () => {
    try {
      for (;;) kept.push(fs.openSync("/dev/null"));
    } catch {
      return kept.length;
    }
  },
  tmp: () => {
    const file = fs.openSync("/tmp/filler", "w");
    let bytes = 0;
    try {
      for (;;) bytes += fs.writeSync(file, Buffer.alloc(MEGABYTE));
    } catch {
      return Math.floor(bytes / MEGABYTE);
    }
  },
  memory: () => {
    for (;;) kept.push(Buffer.alloc(MEGABYTE, 1));
  },
  spin: () => {
    for (const _ of os.cpus()) new Worker("for (;;) {}", { eval: true });
    return never();
  },
  "two-lengths": (query, response) =>
    say(response, ["HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"]),
  "status-42": (query, response) => say(response, ["HTTP/1.1 42 Odd\r\ncontent-length: 0\r\n\r\n"]),
  short: (query, response) => say(response, ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred"]),
  long: (query, response) =>
    say(response, [
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled\n",
    ]),
  headers: (query, response) => {
    const megabyte = `x-flood: ${"x".repeat(53)}\r\n`.repeat(1 << 14);
    return say(response, ["HTTP/1.1 200 OK\r\n", ...Array(1 << 10).fill(megabyte)]);
  },
  read: ({ path }) => (fs.statSync(path).isDirectory() ? fs.readdirSync(path).join(" ") : fs.readFileSync(path, "utf8")),
  connect: ({ path }) => connect({ path: path.replace(/^@/, "\0") }),
  dial: ({ to }) => connect({ host: to.split(":")[0], port: Number(to.split(":")[1]), timeout: 5_000 }),
  signal: ({ process: id }) => process.kill(Number(id), 0) && "there",
  processes: () =>
    fs
      .readdirSync("/proc")
      .filter((name) => /^[0-9]+$/.test(name))
      .map((id) => fs.readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " "))
      .join("\n"),
};

export default async function handler(request, response) {
  if (request.query.do === "throw") throw new Error("thrown");
  let text;
  try {
    text = await (behaviours[request.query.do] ?? (() => "behaved"))(request.query, response);
  } catch (error) {
    response.statusCode = 403;
    text = error.message;
  }
  response.end(`${text}\n`);
}
