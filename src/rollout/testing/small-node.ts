// A node small enough for driver tests: started like glance-api (`--config-file F`), it serves, drains at TERM and ends at the second one,
// hands over at USR2 where it has a [perennial] pid_file, tells systemd, and notes how that went.
//   GET /healthcheck   200, or 503 while draining
//   GET /hold?file=F   answers when F is there     GET /            {name, release, pid, holding, handingOver, from}
//   PUT /              counts the body's bytes     GET /bytes?n=N   N bytes

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseConfig, readConfigText } from "../../core/config-parser.ts";
import { type HandOverNote, writeHandOverNote } from "../../core/hand-over-note.ts";

const file = process.argv[process.argv.indexOf("--config-file") + 1] ?? "";
const entries = parseConfig(readConfigText(file), file);
const option = (section: string, name: string) =>
  entries.findLast((entry) => entry.section === section && entry.option === name)?.value;
const name = option("perennial", "node_name") ?? "";
const release = option("perennial", "release");
const pidFile = option("perennial", "pid_file");
/** The process it takes over from; null: none. */
const from = process.connected ? process.ppid : null;
const fromGone = from === null ? Promise.resolve([]) : once(process, "disconnect");
let serving = false;
if (from !== null) void fromGone.then(() => serving || process.exit(1));

if (option("small", "fail") === release) {
  process.stderr.write("the small node was told to fail\n");
  process.exit(64);
}

let draining = false;
let handingOver = false;
let holding = 0;
const server: HttpServer = createServer(async (request, response) => {
  if (draining) response.setHeader("connection", "close");
  response.setHeader("x-node", name);
  const url = new URL(request.url ?? "/", "http://node");
  if (url.pathname === "/healthcheck")
    return response.writeHead(draining ? 503 : 200).end(draining ? "draining" : "OK");
  if (url.pathname === "/hold") {
    holding++;
    await exists(url.searchParams.get("file") ?? "");
    holding--;
  }
  if (url.pathname === "/bytes") {
    const chunk = Buffer.alloc(65_536, name);
    for (let left = Number(url.searchParams.get("n")); left > 0; left -= chunk.length) {
      if (response.destroyed) return undefined;
      if (!response.write(chunk.subarray(0, left)))
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
    }
    return response.end();
  }
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  return response.end(JSON.stringify({ name, release, pid: process.pid, bytes, holding, handingOver, from }));
});

process.on("SIGTERM", () => {
  if (option("small", "deaf") !== undefined) return;
  if (draining) process.exit(1);
  draining = true;
  sleep(100).then(() => leave());
});
process.on("SIGUSR2", () => {
  if (pidFile === undefined || handingOver || draining) return;
  handingOver = true;
  void handOver(pidFile);
});

if (from === null) {
  server.listen(Number(option("DEFAULT", "bind_port")), option("DEFAULT", "bind_host") ?? "127.0.0.1");
  await once(server, "listening");
} else {
  const [, socket] = (await once(process, "message")) as [unknown, Server];
  const permission = option("small", "take_over_when");
  if (permission !== undefined) await exists(permission);
  server.listen(socket);
  await once(server, "listening");
  process.send?.("listening");
  await once(process, "message");
}
if (pidFile !== undefined) {
  writeFileSync(`${pidFile}.${process.pid}`, `${process.pid}\n`);
  renameSync(`${pidFile}.${process.pid}`, pidFile);
}
tellSystemd("READY=1", `MAINPID=${process.pid}`);
serving = true;
process.send?.("serving");

/** Only the listener is closed: connections that have a request under way, or are about to have one, are left alone. */
function leave(until: Promise<void> = Promise.resolve()): void {
  draining = true;
  setInterval(() => server.closeIdleConnections(), 50);
  Server.prototype.close.call(server, () => void Promise.all([fromGone, until]).then(() => process.exit(0)));
}

async function handOver(path: string): Promise<void> {
  tellSystemd("RELOADING=1");
  const next = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  const note = { from: process.pid, to: next.pid ?? null };
  const noted = (state: HandOverNote["state"], why: string | null = null) =>
    writeHandOverNote(path, { state, ...note, why });
  noted("under way");
  const ended = once(next, "exit").then(([code]) => `the new process ended with exit code ${code}`);
  next.send("take over", server, () => undefined);
  const why = await Promise.race([once(next, "message").then(() => null), ended]);
  handingOver = false;
  if (why !== null) {
    noted("failed", why);
    return tellSystemd("READY=1", `MAINPID=${process.pid}`);
  }
  // From here on every new connection is the new one's.
  leave(once(next, "message").then(() => noted("done")));
  next.send("serve");
}

async function exists(path: string): Promise<void> {
  while (!existsSync(path)) await sleep(20);
}

function tellSystemd(...assignments: readonly string[]): void {
  if (process.env.NOTIFY_SOCKET !== undefined) execFileSync("systemd-notify", assignments);
}
