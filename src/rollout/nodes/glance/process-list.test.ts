// What a shell reads off /proc, and of the processes and connections of this very machine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type connect, createServer } from "node:net";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { systemClock } from "../../../core/clock.ts";
import type { GlanceAt } from "../glance-schema.ts";
import { localShell } from "../host-shell.ts";
import { GlanceProcess } from "./glance-process.ts";
import { connectionsOf, findProcesses, firstOnes, parseConnections, parseProcesses } from "./process-list.ts";

const { signal } = new AbortController();
const options = { what: "look", signal };

test("processes: command lines of several words, odd names, ended ones and those without a line", () => {
  const stat = (pid: number, name: string, state: string, parent: number) =>
    `${pid} (${name}) ${state} ${parent} 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 5000 1 1 18446744073709551615`;
  const text = `boot\n100.00 90.00\n--- glance-rollout ---\n${stat(7, "a) b (c", "S", 1)}\n${stat(8, "x", "Z", 7)}\n${stat(9, "k", "S", 2)}\n${stat(10, "y", "R", 7)}\n--- glance-rollout ---\n/proc/7/cmdline:python3\0/proc/7/cmdline:/usr/bin/glance-api\0/proc/10/cmdline:w\0`;
  assert.deepEqual(parseProcesses(text), [
    { pid: 7, parent: 1, id: "7@5000/boot", aliveMs: 50_000, line: "python3 /usr/bin/glance-api" },
    { pid: 10, parent: 7, id: "10@5000/boot", aliveMs: 50_000, line: "w" },
  ]);
  assert.deepEqual(
    firstOnes(parseProcesses(text)).map(({ pid }) => pid),
    [7],
  );
});

test("connections: addresses of both kinds, and only what is established and belongs to the processes", () => {
  const line = (local: string, state: string, inode: number) =>
    `   0: ${local} 0100007F:0CEA ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0`;
  const text = [
    "socket:[11]",
    "socket:[12]",
    "socket:[13]",
    line("0100007F:D431", "01", 11),
    line("0100007F:D432", "0A", 12),
    line("0100007F:D433", "01", 99),
    line("0000000000000000FFFF00000100007F:D434", "01", 12),
    line("B80D0120000000000000000001000000:D435", "01", 13),
  ].join("\n");
  assert.deepEqual(parseConnections(text), ["127.0.0.1:54321", "127.0.0.1:54324", "2001:db8:0:0:0:0:0:1:54325"]);
});

test("a process of this machine is found by its command line, with its connections, and is gone when it has ended", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const mark = `looked-for-${process.pid}-${Math.random()}`;
  const script = `require("node:net").connect(${port}, "127.0.0.1"); process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["-e", script, mark], { stdio: "ignore" });
  try {
    const [socket] = (await once(server, "connection")) as [ReturnType<typeof connect>];
    const pattern = new RegExp(mark.replaceAll(".", "\\."));
    const found = await findProcesses(localShell, pattern, options);
    assert.deepEqual(
      found.map(({ pid }) => pid),
      [child.pid],
    );
    assert.deepEqual(await connectionsOf(localShell, found, options), [`127.0.0.1:${socket.remotePort}`]);
    const at: GlanceAt = {
      release: "zed",
      configs: [],
      process: pattern,
      unit: null,
      systemctl: [],
      start: [],
      stop: null,
      log: "/dev/null",
      version: ["echo", "glance-api 25.1.0"],
    };
    const glance = new GlanceProcess("n1", at, localShell, systemClock);
    assert.equal(await glance.version(signal), "25.1.0");
    const view = await glance.observe(signal);
    assert(view && !view.stopping && view.told.startsWith(`process ${child.pid}: `));
    await glance.stop(view, signal);
    await eventually("it is gone", async () => (await glance.observe(signal)) === undefined, { msMax: 60_000 });
    socket.destroy();
  } finally {
    child.kill("SIGKILL");
    server.close();
  }
});
