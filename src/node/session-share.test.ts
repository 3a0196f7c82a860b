// Against the kernel's own groups: what /proc says of a session is what it is scheduled by.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { sessionNiceness } from "./testing/scheduling-policies.ts";

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
const skip = existsSync("/proc/self/autogroup") ? false : "this kernel makes no group of a session";

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
    await tell(child, "giveWay", { niceness: 19 });
    return niceness() === 19;
  };
  await eventually("it gives way", gaveWay);
  await tell(child, "giveWay", { niceness: 5 });
  assert.equal(niceness(), 19, "what is set is left alone");
  await tell(child, "endGivingWay");
  await eventually("it gives way no more", () => niceness() === 0);
  await tell(child, "endGivingWay");
  assert.equal(niceness(), 0);
});

test("session's share: it gives way for so long, and no longer", { skip }, async (context) => {
  const { child, niceness } = await start(context, { detached: true });
  const gaveWay = async () => {
    await tell(child, "giveWay", { niceness: 19, msMax: 300 });
    return niceness() === 19;
  };
  await eventually("it gives way", gaveWay);
  await eventually("it gives way no more", () => niceness() === 0);
});

test("session's share: a session that somebody else leads is left alone", { skip }, async (context) => {
  const { child, niceness } = await start(context, { detached: false });
  const before = niceness();
  await tell(child, "giveWay", { niceness: 19 });
  assert.equal(niceness(), before);
  await tell(child, "endGivingWay");
  assert.equal(niceness(), before);
});
