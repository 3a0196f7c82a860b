// A new process takes the node over while it serves: nothing is refused, reset or cut, and what goes wrong changes nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type HandOverNote, readHandOverNote } from "../../src/core/hand-over-note.ts";
import { commandScript } from "../../src/core/package-files.ts";
import { isNeverRefused, sessionNiceness } from "../../src/core/testing/session-niceness.ts";
import { canLeaveIdleClass } from "../../src/node/idle-class.ts";
import { schedulingPolicies } from "../../src/node/testing/scheduling-policies.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { type CpuGroup, makeCpuGroup } from "../servers/cpu-group.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage, openUpload, rowOf, statusOf, uploadsPublished } from "./images.ts";
import { KeepAliveClients } from "./keep-alive-clients.ts";
import { type Sections, Site } from "./node-process.ts";
import { commandOf, workersOf } from "./worker-processes.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));
const msMax = 90_000;
const group = makeCpuGroup();
/** Processes that no NodeProcess started. */
const successors = new Set<number>();
after(async () => {
  for (const pid of successors) kill(pid, "SIGKILL");
  await group?.remove();
});

/** A process that never becomes ready. */
const idle = `${process.execPath} -e "setInterval(() => {}, 1000)"`;
const pidFileOf = (name: string) => join(site.folder, `${name}.pid`);
const withPidFile = (name: string, changes: Sections = {}): Sections => ({
  ...changes,
  perennial: {
    drain_settle_seconds: 0.5,
    upload_lease_seconds: 3,
    heartbeat_seconds: 0.5,
    node_name: name,
    pid_file: pidFileOf(name),
    ...changes.perennial,
  },
});

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}

const isAlive = (pid: number) => commandOf(pid).startsWith("glance-api");
const pidOf = (name: string) => Number(readFileSync(pidFileOf(name), "utf8"));
const gone = (pid: number) => eventually(`process ${pid} is gone`, () => !isAlive(pid), { msMax });

/** Asks the process for a hand-over and resolves with how it went. */
async function handOver(name: string, pid = pidOf(name)): Promise<HandOverNote> {
  kill(pid, "SIGUSR2");
  const note = await eventually(
    "the hand-over ends",
    () => {
      const seen = readHandOverNote(pidFileOf(name));
      return seen !== undefined && seen.from === pid && seen.state !== "under way" && seen;
    },
    { msMax },
  );
  if (note.to !== null) successors.add(note.to);
  return note;
}

async function end(pid: number): Promise<void> {
  kill(pid, "SIGTERM");
  await gone(pid);
}

test("hand-over: under load, twice in a row, no request is refused, reset or failed, and the pid file follows", async (t) => {
  const node = await site.start("load", withPidFile("load"));
  const clients = new KeepAliveClients({ ports: [node.port], path: "/v2/images", clients: 6 });
  await clients.served(50);
  const pids = [node.pid];
  for (let round = 0; round < 2; round++) {
    const before = pids.at(-1) ?? 0;
    const { state, to } = await handOver("load");
    assert.equal(state, "done");
    assert.notEqual(to, before);
    assert.deepEqual(schedulingPolicies(to ?? 0, ...workersOf({ pid: to ?? 0 })), [0]);
    await eventually("its session gives way no more", () => !sessionNiceness(to ?? 0), { msMax });
    assert.equal(pidOf("load"), to);
    pids.push(to ?? 0);
    await clients.served(50);
    await gone(before);
  }
  assert.deepEqual(await node.exited, { code: 0, signal: null }, node.stderr.join("\n"));
  const { served, failures, movedOn } = await clients.stop();
  t.diagnostic(`${served} requests`);
  assert.deepEqual([failures, movedOn], [[], 0]);
  const row = await rowOf(site, "load");
  assert.deepEqual([row?.pid, row?.state], [pids.at(-1), "serving"]);
  await end(pids.at(-1) ?? 0);
  assert.equal((await rowOf(site, "load"))?.state, "stopped");
});

test("hand-over: an upload goes on in the old process, which contract still waits for; a stop of the new one waits for it too", async () => {
  const node = await site.start("upload", withPidFile("upload"));
  const image = await createImage(node);
  const upload = openUpload(node, image, 300_000);
  upload.write(100_000);
  await uploadsPublished(site, "upload", 1);
  const { state, to } = await handOver("upload");
  assert.equal(state, "done");
  const beside = `upload~${node.pid}`;
  const row = await eventually(
    "the old process has a row of its own",
    async () => {
      const seen = await rowOf(site, beside);
      return seen?.state === "handed-over" && seen;
    },
    { msMax },
  );
  assert.equal(row.uploads, 1);
  assert.deepEqual([(await rowOf(site, "upload"))?.pid, (await node.health()).status], [to, 200]);
  kill(to ?? 0, "SIGTERM");
  await node.said(new RegExp(`"pid":${to},.*draining: finishing`));
  upload.write(200_000);
  assert.equal(await upload.status, 204);
  assert.equal(await statusOf(site, image), "active");
  assert.deepEqual(await node.exited, { code: 0, signal: null }, node.stderr.join("\n"));
  await gone(to ?? 0);
  assert.deepEqual([await rowOf(site, beside), (await rowOf(site, "upload"))?.state], [undefined, "stopped"]);
});

test("hand-over: a process that only sends out says so, and finishes though the new one is killed", async () => {
  const node = await site.start("download", withPidFile("download"));
  const image = await createImage(node);
  const bytes = 30_000_000;
  const upload = openUpload(node, image, bytes);
  upload.write(bytes);
  assert.equal(await upload.status, 204);
  const download = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${node.url}/v2/images/${image}/file`, resolve).on("error", reject);
  });
  // Nothing is read yet: far more than what buffers on the way hold is still to be sent.
  const { to } = await handOver("download");
  await eventually("it only sends", async () => (await rowOf(site, `download~${node.pid}`))?.state === "sending", {
    msMax,
  });
  for (const pid of [to ?? 0, ...workersOf({ pid: to ?? 0 })]) kill(pid, "SIGKILL");
  let received = 0;
  for await (const chunk of download) received += (chunk as Buffer).length;
  assert.equal(received, bytes);
  assert.deepEqual(await node.exited, { code: 0, signal: null }, node.stderr.join("\n"));
});

test("hand-over: a new process that fails, in whatever way, changes nothing, and the reason is told", async () => {
  const old = new Site();
  await old.createDatabase("newton");
  const node = await site.start("fails", withPidFile("fails"));
  const configure = (changes: Sections) =>
    site.writeConfig(
      "fails",
      withPidFile("fails", { ...changes, DEFAULT: { bind_port: node.port, ...changes.DEFAULT } }),
    );
  const cases: readonly [Sections, RegExp][] = [
    [{ perennial: { release: "nova" } }, /release.*nova/],
    [{ DEFAULT: { bind_port: node.port + 1 } }, /serves on the socket there is/],
    [{ database: { connection: old.connection, max_retries: 0 } }, /cannot serve from this database/],
    [{ perennial: { handover_command: `${process.execPath} -e "process.exit(9)"` } }, /ended with exit code 9/],
    [{ perennial: { handover_command: "/nowhere/glance-api" } }, /cannot be started: .*ENOENT/],
    [{ perennial: { handover_command: idle, handover_deadline_seconds: 0.5 } }, /not ready to serve within 0\.5 s/],
  ];
  for (const [changes, why] of cases) {
    configure(changes);
    writeFileSync(`${pidFileOf("fails")}.handover`, "");
    const note = await handOver("fails");
    assert.equal(note.state, "failed");
    assert.match(note.why ?? "", why);
    await node.said(/hand-over refused.*/);
    assert.deepEqual([pidOf("fails"), (await node.health()).status], [node.pid, 200]);
    if (note.to !== null) assert(!isAlive(note.to), "nothing is left of it");
  }
  assert.deepEqual([(await rowOf(site, "fails"))?.pid, (await rowOf(site, "fails"))?.state], [node.pid, "serving"]);
  configure({});
  await end(node.pid);
});

test("hand-over: asked twice at once it is one; a reload meanwhile is made; and kill -9 of either process leaves the other serving", async () => {
  const node = await site.start("killed", withPidFile("killed", { perennial: { handover_command: idle } }));
  node.signal("SIGUSR2");
  const first = await node.said(/"handing over"/);
  const doomed = Number(/"successor":(\d+)/.exec(first)?.[1]);
  kill(doomed, "SIGKILL");
  await node.said(/hand-over refused/);
  site.writeConfig("killed", withPidFile("killed", { DEFAULT: { bind_port: node.port } }));
  assert.deepEqual([pidOf("killed"), (await node.health()).status], [node.pid, 200]);

  writeFileSync(`${pidFileOf("killed")}.handover`, "");
  const from = node.stderr.length;
  for (const signal of ["SIGUSR2", "SIGUSR2", "SIGHUP"] as const) node.signal(signal);
  const { state, to } = await handOver("killed", node.pid);
  assert.equal(state, "done", node.stderr.join("\n"));
  // By whichever process: the first one may have ended by then.
  const reloaded = () => node.stderr.slice(from).some((line) => line.includes('"msg":"reloaded"'));
  await eventually("the reload is made", reloaded, { msMax });
  await gone(node.pid);
  assert.equal(node.stderr.slice(from).filter((line) => line.includes('"handing over"')).length, 1);

  // The process that serves is killed while the next one starts, in a group, where a session is none.
  assert(to !== null);
  group?.add(to);
  process.kill(to, "SIGUSR2");
  const line = await eventually(
    "it hands over",
    () => node.stderr.find((one) => one.includes('"handing over"') && one.includes(`"pid":${to},`)),
    { msMax },
  );
  const next = Number(/"successor":(\d+)/.exec(line)?.[1]);
  successors.add(next);
  if (await canLeaveIdleClass())
    await eventually("it starts in the idle class", () => schedulingPolicies(next).includes(5), { msMax, everyMs: 1 });
  if (isNeverRefused())
    await eventually("its session gives way", () => sessionNiceness(next) === 19, { msMax, everyMs: 1 });
  kill(to, "SIGKILL");
  await eventually("the new one serves alone", () => pidOf("killed") === next, { msMax });
  assert.deepEqual(schedulingPolicies(next, ...workersOf({ pid: next })), [0]);
  await eventually("its session gives way no more", () => !sessionNiceness(next), { msMax });
  await eventually("under its name", async () => (await rowOf(site, "killed"))?.pid === next, { msMax });
  assert.equal((await node.health()).status, 200);
  await end(next);
});

test("hand-over: the new process starts in the idle class where it can get out of it, in a session's group and in another", async () => {
  const [script, told] = [join(site.folder, "telling.mjs"), join(site.folder, "told")];
  writeFileSync(
    script,
    `import { writeFileSync } from "node:fs";
process.on("message", (message) => {
  if (message.do !== "take-over") return;
  writeFileSync(${JSON.stringify(told)}, String(message.idle));
  process.exit(9);
});`,
  );
  const isIdle = async (name: string, where: CpuGroup | null) => {
    const perennial = { handover_command: `${process.execPath} ${script}` };
    const node = await site.start(name, withPidFile(name, { perennial }));
    where?.add(node.pid);
    assert.equal((await handOver(name)).state, "failed");
    await end(node.pid);
    return readFileSync(told, "utf8");
  };
  const canLeave = String(await canLeaveIdleClass());
  assert.equal(await isIdle("as-it-is", null), canLeave);
  if (group) assert.equal(await isIdle("grouped", group), canLeave);
});

test("hand-over: a new process that may not leave the idle class is taken out of it by the old one", async (context) => {
  const [program = "", ...args] = ["setpriv", "--bounding-set=-sys_nice"];
  if (!(await canLeaveIdleClass())) return context.skip("this machine lets nobody out of the idle class");
  if (spawnSync(program, [...args, "true"]).status !== 0)
    return context.skip("this machine lets nobody give a capability up");
  const node = await site.start("without", withPidFile("without"));
  const command = [program, ...args, process.execPath, commandScript("glance-api"), "--config-file", node.config];
  const perennial = { handover_command: command.join(" ") };
  site.writeConfig("without", withPidFile("without", { DEFAULT: { bind_port: node.port }, perennial }));
  const { state, to } = await handOver("without");
  assert.equal(state, "done", node.stderr.join("\n"));
  assert(to !== null);
  assert.deepEqual(schedulingPolicies(to, ...workersOf({ pid: to })), [0]);
  await gone(node.pid);
  await end(to);
});
