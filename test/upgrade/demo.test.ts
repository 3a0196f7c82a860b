// The demo is the product's promise in one command: no request fails, no transfer is cut, no byte is wrong, and it cleans up.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { initialState, runDemo } from "../../demo/demo.ts";
import { finish } from "../../demo/processes.ts";
import { eventually } from "../servers/eventually.ts";

const script = fileURLToPath(new URL("../../demo/main.ts", import.meta.url));
const keys = [
  "requests",
  "failed",
  "transfersCut",
  "imagesChecked",
  "imagesWrong",
  "p99ControlMs",
  "p99RolloutMs",
  "release",
  "database",
  "balancer",
  "contracted",
  "seconds",
];

for (const [database, balancer] of [
  ["sqlite", "builtin"],
  ["mariadb", "haproxy"],
] as const)
  test(`demo: three nodes move to Ocata and nobody notices: ${database}, ${balancer}`, {
    timeout: 900_000,
  }, async (t) => {
    const command = [process.execPath, script, "--json", "--database", database, "--balancer", balancer];
    const { code, stdout, stderr } = await finish(command, { msMax: 800_000 });
    assert.equal(stdout.trim().split("\n").length, 1, `one object and nothing else: ${stdout}\n${stderr}`);
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(Object.keys(summary), keys);
    const { failed, transfersCut, imagesWrong, contracted, release } = summary;
    const expected = { failed: 0, transfersCut: 0, imagesWrong: 0, contracted: true, release: "ocata" };
    assert.deepEqual({ failed, transfersCut, imagesWrong, contracted, release }, expected, stderr);
    assert.deepEqual([summary.database, summary.balancer], [database, balancer]);
    assert(Number(summary.requests) >= 3_000, `${summary.requests} requests`);
    assert(Number(summary.imagesChecked) >= 20, `${summary.imagesChecked} images`);
    assert.equal(code, 0, stderr);
    t.diagnostic(stdout.trim());
  });

for (const signal of ["SIGINT", "SIGKILL"] as const)
  test(`demo: ${signal} in its midst leaves no process and no folder behind`, { timeout: 900_000 }, async () => {
    const demo = spawn(process.execPath, [script, "--nodes", "2"], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    demo.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await eventually("the fleet runs", () => said.includes("control window"), { msMax: 60_000 });
    const folder = folderOf(demo.pid ?? 0);
    demo.kill(signal);
    await once(demo, "exit");
    assert(signal === "SIGKILL" || mentions(folder).length === 0, "an interrupted demo ends after all that it started");
    await eventually("all is gone", () => !existsSync(folder) && mentions(folder).length === 0, { msMax: 120_000 });
  });

test("demo: once it was interrupted it starts nothing more, which what ends all its processes might not see", {
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "perennial-demo-"));
  const range = { from: "newton", to: "ocata" } as const;
  const state = initialState(range);
  const interrupted = new AbortController();
  const fleet = { folder, nodes: 2, database: "sqlite", balancer: "builtin", strategy: "drain", keep: false } as const;
  // The rollout would begin while the processes are being looked for.
  const options = { ...range, ...fleet, seed: 1, before: { warmUpMs: 0, controlMs: 200 } };
  const demo = assert.rejects(runDemo(options, state, interrupted.signal), /interrupted/);
  await eventually("traffic is measured", () => state.activity.startsWith("control window"), {
    msMax: 120_000,
    everyMs: 10,
  });
  interrupted.abort();
  await demo;
  assert.match(state.activity, /^control window/);
  assert.deepEqual(mentions(folder), []);
  assert(!existsSync(folder));
});

test("demo: an option it does not know, or a value out of bounds, is refused in one line", async () => {
  for (const [args, said] of [
    [["--database", "oracle"], /sqlite, mariadb/],
    [["--nodes", "1"], /from 2 to 9/],
    [["--from", "icehouse"], /newton, ocata/],
    [["--from", "pike", "--to", "ocata"], /ocata is not newer than --from pike/],
    [["--bogus"], /unknown option/],
  ] as const) {
    const { code, stdout, stderr } = await finish([process.execPath, script, ...args]);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, said);
  }
});

/** The demo's folder, as its children's command lines name it. */
function folderOf(pid: number): string {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const isChild = statusOf(entry).includes(`PPid:\t${pid}\n`);
    const folder = isChild && commandOf(entry).match(/\/\S*perennial-demo-\w+/)?.[0];
    if (folder) return folder;
  }
  return assert.fail("no process names the demo's folder");
}

/** Processes that work in the folder, or name it: nodes give themselves titles, which hide their command lines. */
function mentions(folder: string): string[] {
  return readdirSync("/proc").filter(
    (entry) => /^\d+$/.test(entry) && (commandOf(entry).includes(folder) || folderOfProcess(entry).startsWith(folder)),
  );
}

function folderOfProcess(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

function commandOf(pid: string): string {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function statusOf(pid: string): string {
  return read(`/proc/${pid}/status`);
}

/** Empty where the process ended in the meantime. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
