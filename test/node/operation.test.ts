// What operators and service managers do with a running node: take it out of rotation, hand it a socket, watch it, lose its database.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { BoundSocket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, test } from "node:test";
import { openDatabase } from "../../src/db/connect.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { BreakableProxy } from "./breakable-proxy.ts";
import { NodeProcess, Site } from "./node-process.ts";
import { commandOf } from "./worker-processes.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

test("operation: a file takes the node out of rotation and back, and requests go on being served", async () => {
  const file = join(site.folder, "healthcheck_disable");
  const node = await site.start("disabled", { healthcheck: { disable_by_file_path: file } });
  assert.equal((await node.health()).status, 200);
  writeFileSync(file, "");
  const health = await eventually("health fails", async () => {
    const now = await node.health();
    return now.status === 503 && now;
  });
  assert.match(health.text, /DISABLED BY FILE/);
  assert.match(await node.get("/v2/images"), /"images":/);
  rmSync(file);
  await eventually("health is good again", async () => (await node.health()).status === 200);
  await end(node);
});

test("operation: a node serves on the socket a service manager hands over, and leaves it to the manager", async () => {
  const socket = new BoundSocket({ host: "127.0.0.1", port: 0 });
  const { port } = socket.address();
  const config = site.writeConfig("activated", { DEFAULT: { bind_port: port } });
  const node = new NodeProcess(config, port, {
    // The variables name the process they are meant for, which only the shell knows before it becomes the node.
    command: ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh", process.execPath],
    spawn: { stdio: ["ignore", "ignore", "pipe", socket.fd()] },
  });
  await node.said(/"msg":"serving"/);
  assert.equal((await node.health()).status, 200);
  await end(node);
  // The manager's hold on the socket outlives the node: the next one serves what waits there.
  const waiting = fetch(`http://127.0.0.1:${port}/healthcheck`);
  const next = new NodeProcess(config, port, {
    command: ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh", process.execPath],
    spawn: { stdio: ["ignore", "ignore", "pipe", socket.fd()] },
  });
  assert.equal((await waiting).status, 200);
  await end(next);
  socket.close();
});

test("operation: systemd is told when the node is ready, reloads, hands over to another process, and stops", async (t) => {
  const path = join(site.folder, "notify");
  const manager = spawn("python3", ["-u", "-c", receiver, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => manager.kill());
  const messages: string[] = [];
  createInterface(manager.stdout).on("line", (line) => messages.push(line));
  const told = (pattern: RegExp) =>
    eventually(`systemd hears ${pattern}`, () => messages.some((line) => pattern.test(line)), {
      msMax: 120_000,
    });
  await told(/^up$/);
  const config = site.writeConfig("notifies", { DEFAULT: { bind_port: await freePort() } });
  const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" };
  const node = new NodeProcess(config, 0, { spawn: { env, stdio: ["ignore", "ignore", "pipe"] } });
  await told(new RegExp(`READY=1.*STATUS=serving as ${newestRelease.id}`));
  await told(/WATCHDOG=1/);
  node.signal("SIGHUP");
  await told(/(?=.*RELOADING=1).*MONOTONIC_USEC=\d+/);
  await eventually("ready again", () => messages.filter((line) => line.includes("READY=1")).length === 2);
  node.signal("SIGUSR2");
  const successor = Number(/"successor":(\d+)/.exec(await node.said(/handed over/))?.[1]);
  t.after(() => isRunning(successor) && process.kill(successor, "SIGKILL"));
  await told(new RegExp(`(?=.*READY=1).*MAINPID=${successor}\\b`));
  assert.equal((await node.exited).code, 0);
  assert(!messages.some((line) => line.includes("STOPPING=1")), "the node goes on");
  process.kill(successor, "SIGTERM");
  await told(/STOPPING=1/);
  await eventually("the node is gone", () => !isRunning(successor), { msMax: 60_000 });
});

test("operation: a node whose database is contracted past its release leaves rotation, and returns when it may serve again", async () => {
  const newton = new Site();
  await newton.createDatabase("newton");
  const node = await newton.start("old", { perennial: { release: "newton" } });
  const db = await openDatabase(newton.connection);
  await db.run("UPDATE alembic_version SET version_num = 'ocata_contract01'");
  const health = await eventually("health fails", async () => {
    const now = await node.health();
    return now.status === 503 && now;
  });
  assert.match(health.text, /newton.*contracted to ocata/);
  await node.said(/not fit to serve/);
  await db.run("UPDATE alembic_version SET version_num = 'mitaka02'");
  await db.close();
  await eventually("health is good again", async () => (await node.health()).status === 200);
  await end(node);
});

test("operation: a database that is away for a while is logged once, and heartbeats go on when it is back", async (t) => {
  const mariadb = await startMariadb();
  t.after(() => mariadb.stop());
  const url = new URL(await mariadb.createDatabase());
  const proxy = await BreakableProxy.start({ host: url.hostname, port: Number(url.port) });
  t.after(() => proxy.stop());
  const far = new Site(`mysql://${url.username}:${url.password}@127.0.0.1:${proxy.port}${url.pathname}`);
  await far.manage("db", "sync");
  const node = await far.start("far", { perennial: { heartbeat_seconds: 0.2 } });
  const direct = await openDatabase(url.href);
  const silent = async () => {
    const { secondsSinceSql } = direct.dialect;
    const sql = `SELECT ${secondsSinceSql("heartbeat_at")} AS s FROM perennial_nodes WHERE name = 'far'`;
    return Number((await direct.query<{ s: number }>(sql))[0]?.s);
  };
  proxy.break();
  await node.said(/heartbeat failed/);
  await eventually("the row grows old", async () => (await silent()) >= 2, { msMax: 60_000 });
  assert.equal((await node.health()).status, 200, "a node that cannot ask stays where it is");
  proxy.mend();
  await node.said(/heartbeat works again/);
  assert((await silent()) < 2);
  assert.equal(node.stderr.filter((line) => line.includes("heartbeat failed")).length, 1);
  await direct.close();
  await end(node);
});

test("operation: after logrotate has moved the log away, USR1 opens it anew", async () => {
  const log = join(site.folder, "api.log");
  const config = site.writeConfig("rotated", { DEFAULT: { bind_port: await freePort(), log_file: log } });
  const node = new NodeProcess(config, 0);
  await eventually("it serves", () => existsSync(log) && readFileSync(log, "utf8").includes('"serving"'));
  renameSync(log, `${log}.1`);
  node.signal("SIGUSR1");
  await eventually("the log is there again", () => existsSync(log));
  await end(node);
  assert.match(readFileSync(log, "utf8"), /draining/);
});

function isRunning(pid: number): boolean {
  return commandOf(pid).startsWith("glance-api");
}

/** Prints each datagram on one line. */
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("up")
while True: print(s.recv(4096).decode().strip().replace("\\n", " "))
`;

async function end(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  assert.deepEqual(await node.exited, { code: 0, signal: null });
}
