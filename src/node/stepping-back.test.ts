// Real processes and their priorities; as another user, where this one may change users.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { getPriority } from "node:os";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { mayRaiseTo, stepBack, takePlace, threadsOf } from "./stepping-back.ts";

const place = getPriority();
const root = process.getuid?.() === 0 ? false : "only root may do as other users do";
const module = pathToFileURL(`${import.meta.dirname}/stepping-back.ts`).href;

/** A process that says "up" when it has threads of its own, and runs until its input ends. */
async function startChild(): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const code = `new (require("node:worker_threads").Worker)("setInterval(() => {}, 1e6)", { eval: true }).on("online", () => console.log("up"));
    process.stdin.on("end", () => process.exit()).resume();`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  assert(child.pid !== undefined && child.stdout);
  return { child, pid: child.pid };
}

const prioritiesOf = (pid: number) => [...new Set(threadsOf(pid).map((thread) => getPriority(thread)))];

test("stepping back: a process that starts is behind, and has its place with all its threads afterwards", {
  skip: root,
}, async () => {
  const { child, pid } = await startChild();
  assert.equal(stepBack(pid), true);
  assert(getPriority(pid) > place);
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  assert(threadsOf(pid).length > 1);
  takePlace(pid);
  assert.deepEqual(prioritiesOf(pid), [place]);
  child.stdin?.end();
  await once(child, "exit");
  takePlace(pid);
  assert.equal(stepBack(pid), false, "who has ended is left alone");
});

test("stepping back: a user without the right to come back stays in its place", { skip: root }, async () => {
  const code = `const { stepBack } = await import(${JSON.stringify(module)});
    const { getPriority } = await import("node:os");
    const stepped = stepBack(process.pid);
    process.stdout.write([stepped, getPriority()].join());`;
  const args = ["--input-type=module", "-e", code];
  const child = spawn(process.execPath, args, { uid: 65_534, gid: 65_534, stdio: ["ignore", "pipe", "inherit"] });
  assert.equal(await text(child.stdout), `false,${place}`);
});

test("stepping back: the right to come back is a capability or a limit", () => {
  const nobody = {
    status: "CapEff:\t0000000000000000\n",
    limits: "Max nice priority         0                    0                    \n",
  };
  const limited = (to: string) => ({
    ...nobody,
    limits: `Max nice priority         ${to}                   20                   \n`,
  });
  assert.equal(mayRaiseTo(0, nobody), false);
  assert.equal(mayRaiseTo(0, { ...nobody, status: "CapEff:\t0000000000800000\n" }), true);
  assert.equal(mayRaiseTo(0, limited("20")), true);
  assert.equal(mayRaiseTo(-5, limited("20")), false);
  assert.equal(mayRaiseTo(-20, limited("unlimited")), true);
});
