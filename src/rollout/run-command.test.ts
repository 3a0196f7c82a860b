// Commands of the operator: what they print is read whole, and how they fail is told in one line.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { findProcess } from "../core/process-table.ts";
import { commandJson, fillIn, runCommand } from "./run-command.ts";

const signal = new AbortController().signal;
const sh = (script: string, more: { msMax?: number; input?: string; answers?: number[]; signal?: AbortSignal } = {}) =>
  runCommand(["/bin/sh", "-c", script], { what: "drain n1", msMax: 60_000, signal, ...more });

test("commands: names are filled in, also inside of a word; what is not known stays", () => {
  assert.deepEqual(fillIn(["lb", "--node={node}", "{state}", "{other}"], { node: "n1", state: "drain" }), [
    "lb",
    "--node=n1",
    "drain",
    "{other}",
  ]);
});

test("commands: output is read, input given, and codes that are answers are answers", async () => {
  assert.deepEqual(await sh("cat; echo no >&2; exit 3", { input: "yes", answers: [0, 3] }), {
    code: 3,
    stdout: "yes",
    stderr: "no\n",
  });
});

test("commands: an exit code is told with what the command said last", async () => {
  await assert.rejects(sh("echo first >&2; echo 'no such server' >&2; exit 9"), {
    code: "rollout.driver_failed",
    message: /^drain n1: '.*' ended with 9: no such server$/,
  });
  await assert.rejects(sh("kill -9 $$"), { message: /was ended by SIGKILL: it said nothing/ });
});

test("commands: a program that is not there is named", async () => {
  const run = runCommand(["/nowhere/lb", "drain"], { what: "drain n1", msMax: 1_000, signal });
  await assert.rejects(run, { code: "rollout.driver_failed", message: /'\/nowhere\/lb drain' cannot be started/ });
});

test("commands: one that does not end, or writes without end, is ended with what it started", async () => {
  await assert.rejects(sh("cat /dev/zero & exec cat /dev/zero"), { message: /wrote without end; it was ended/ });
  const folder = await mkdtemp(join(tmpdir(), "perennial-command-"));
  try {
    await assert.rejects(sh("sleep 1000", { msMax: 300 }), { message: /did not end within 0.3 s; it was ended/ });
    const stop = new AbortController();
    const given = sh(`sleep 1000 & echo $! > ${folder}/pid; wait`, { signal: stop.signal });
    const refused = assert.rejects(given, { message: /was not waited for/ });
    const pid = await eventually("it runs", async () => Number(await readFile(join(folder, "pid"), "utf8")) || false);
    stop.abort(new Error("enough"));
    await refused;
    await eventually("what it started is gone", () => findProcess(pid) === undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("commands: so many at once and no more, and those that wait for their turn can be given up", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-command-"));
  try {
    const stop = new AbortController();
    const wait = `: > "$0/$$"; while [ ! -e "$0/go" ]; do sleep 0.05; done`;
    const about = { what: "look", msMax: 120_000 };
    const all = Array.from({ length: 40 }, (_, index) =>
      runCommand(["/bin/sh", "-c", wait, folder], { ...about, signal: index < 36 ? signal : stop.signal }),
    );
    await eventually("32 run", async () => (await readdir(folder)).length === 32, { msMax: 120_000 });
    const givenUp = Promise.all(all.slice(36).map((one) => assert.rejects(one, { message: /was not waited for/ })));
    stop.abort(new Error("enough"));
    await givenUp;
    assert.equal((await readdir(folder)).length, 32);
    await writeFile(join(folder, "go"), "");
    await Promise.all(all.slice(0, 36));
    assert.equal((await readdir(folder)).length, 37);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("commands: what one leaves running in the background does not hold it up", async () => {
  const { stdout } = await sh("sleep 1000 & echo $!");
  const left = Number(stdout);
  assert(findProcess(left), "the background process lives");
  process.kill(left, "SIGKILL");
  await eventually("it is gone", () => findProcess(left) === undefined);
});

test("commands: what is not JSON is shown", () => {
  assert.deepEqual(commandJson("state", ["lb"], '{"n1":{}}'), { n1: {} });
  assert.throws(() => commandJson("state", ["lb", "list"], "oops"), {
    message: /state: 'lb list' did not print JSON: "oops"/,
  });
});
