import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { canLeaveIdleClass, IdleProcess } from "./idle-class.ts";
import { schedulingPolicies } from "./testing/scheduling-policies.ts";

/** Has a thread and a process of its own, in another session, as soon as it is told to. */
const family = `
process.once("message", () => {
  const { Worker } = require("node:worker_threads");
  new Worker("setInterval(() => 0, 1e6); require('node:worker_threads').parentPort.postMessage(0)", { eval: true }).once("message", () => {
    const child = require("node:child_process").spawn(process.execPath, ["-e", "console.log(0); setInterval(() => 0, 1e6)"], { detached: true });
    child.stdout.once("data", () => process.send(child.pid));
  });
});
process.send("up");
`;

async function start(context: TestContext): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", family], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    detached: true,
  });
  context.after(() => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It has ended already.
    }
  });
  await once(child, "message");
  return child;
}

test("idle class: what a process starts is in it too, and all of it has the usual one again", async (context) => {
  if (!(await canLeaveIdleClass())) return context.skip("this machine lets nobody out of the idle class");
  const child = await start(context);
  const pid = child.pid ?? 0;
  const idle = new IdleProcess(pid);
  await eventually("all of it is idle", () => !schedulingPolicies(pid).includes(0), { everyMs: 1 });
  child.send("go on");
  const [grandchild] = (await once(child, "message")) as [number];
  context.after(() => process.kill(grandchild, "SIGKILL"));
  assert.deepEqual(schedulingPolicies(pid, grandchild), [5]);
  await idle.end();
  await idle.end();
  assert.deepEqual(schedulingPolicies(pid, grandchild), [0]);
});

test("idle class: a process that ended before is no mistake", async (context) => {
  const child = await start(context);
  const idle = new IdleProcess(child.pid ?? 0);
  child.kill("SIGKILL");
  await once(child, "exit");
  await idle.end();
});

test("idle class: it does not outlast its time, though whoever put a process into it is killed", async (context) => {
  if (!(await canLeaveIdleClass())) return context.skip("this machine lets nobody out of the idle class");
  const child = await start(context);
  const pid = child.pid ?? 0;
  child.send("go on");
  const [grandchild] = (await once(child, "message")) as [number];
  context.after(() => process.kill(grandchild, "SIGKILL"));
  const script = `const { IdleProcess } = await import(${JSON.stringify(new URL("idle-class.ts", import.meta.url).href)});
    for (const pid of [${pid}, ${grandchild}]) new IdleProcess(pid, 2);
    setInterval(() => 0, 1e6);`;
  const starter = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  await eventually("all of it is idle", () => !schedulingPolicies(pid, grandchild).includes(0), { everyMs: 1 });
  starter.kill("SIGKILL");
  await eventually("all of it has the usual class", () => !schedulingPolicies(pid, grandchild).includes(5));
});
