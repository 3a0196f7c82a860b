// Against the kernel's own groups: what /proc says of a session is what it is scheduled by.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { commandScript } from "./package-files.ts";
import { givesWayVariable } from "./session-share.ts";
import { isNeverRefused, sessionNiceness } from "./testing/session-niceness.ts";

const module = new URL("session-share.ts", import.meta.url).href;
/** Does as it is told, and says when it has. */
const obedient = `
const share = await import(${JSON.stringify(module)});
process.on("message", ({ call, argument }) => {
  share[call](argument);
  process.send("done");
});
process.send("up");
`;
const skip = existsSync("/proc/self/autogroup") ? false : "this machine makes no group of a session";

async function start(context: TestContext, { detached }: { detached: boolean }) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", obedient], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached,
  });
  context.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  return { child, niceness: () => sessionNiceness(child.pid ?? 0) };
}

async function tell(child: ChildProcess, call: string, argument?: unknown): Promise<void> {
  const done = once(child, "message");
  child.send({ call, argument });
  await done;
}

test("session's share: who leads a session gives way, and then no more", { skip }, async (context) => {
  const { child, niceness } = await start(context, { detached: true });
  // Without a privilege it is refused where another session was changed a moment ago.
  const gaveWay = async () => {
    await tell(child, "giveWay", 10);
    return niceness() === 10;
  };
  await eventually("it gives way", gaveWay);
  await tell(child, "giveWay", 5);
  assert.equal(niceness(), 10, "what is set is left alone");
  await tell(child, "endGivingWay");
  await eventually("it gives way no more", () => niceness() === 0);
  await tell(child, "endGivingWay");
  assert.equal(niceness(), 0);
});

test("session's share: told to give way at its start, it does so for two seconds at most, even if it never gets to end it", {
  skip,
}, async (context) => {
  const { child, niceness } = await start(context, { detached: true });
  await tell(child, "giveWayAsTold", {});
  assert.equal(niceness(), 0, "nobody told it to");
  const gaveWay = async () => {
    await tell(child, "giveWayAsTold", { [givesWayVariable]: "1" });
    return niceness() === 19;
  };
  await eventually("it gives way", gaveWay);
  child.kill("SIGSTOP");
  await eventually("it gives way no more", () => niceness() === 0);
});

test("session's share: a session that somebody else leads is left alone", { skip }, async (context) => {
  const { child, niceness } = await start(context, { detached: false });
  const before = niceness();
  await tell(child, "giveWay", 19);
  assert.equal(niceness(), before);
  await tell(child, "endGivingWay");
  assert.equal(niceness(), before);
});

/** Tells at its end how the session was scheduled until then. */
const telling = `data:text/javascript,import fs from "node:fs"; process.on("exit", () => process.stderr.write(fs.readFileSync("/proc/self/autogroup")));`;

test("session's share: of the rollout's commands those give way that move nodes, not what serves by itself", {
  skip: skip || (!isNeverRefused() && "this machine may refuse to change a session"),
}, () => {
  for (const [command, niceness] of [
    ["run", 10],
    ["balancer", 0],
    ["console", 0],
  ] as const) {
    const args = ["--import", telling, commandScript("glance-rollout"), command, "--help"];
    // setsid(1) waits for it, and leads no session itself.
    const { stderr } = spawnSync("setsid", ["--wait", process.execPath, ...args], { encoding: "utf8" });
    assert.match(stderr, new RegExp(`nice ${niceness}\n$`), command);
  }
});
