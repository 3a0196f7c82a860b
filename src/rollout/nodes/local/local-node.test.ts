// The local driver against real processes: what every node driver promises, and what is special about pid files.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../../../../test/servers/eventually.ts";
import { freePort } from "../../../../test/servers/free-port.ts";
import { systemClock } from "../../../core/clock.ts";
import { splitCommand } from "../../../core/command-line.ts";
import { parseConfig } from "../../../core/config-parser.ts";
import { findProcess } from "../../../core/process-table.ts";
import { givesWayVariable } from "../../../core/session-share.ts";
import { handOverConformance } from "../../testing/hand-over-conformance.ts";
import { type DrivenNode, nodeDriverConformance } from "../../testing/node-driver-conformance.ts";
import type { LocalNodeAt } from "../node-schemas.ts";
import { createLocalNode } from "./local-node.ts";

const signal = new AbortController().signal;
const smallNode = fileURLToPath(new URL("../../testing/small-node.ts", import.meta.url));

async function make(): Promise<DrivenNode & { fleetNode: LocalNodeAt }> {
  const directory = await mkdtemp(join(tmpdir(), "perennial-local-"));
  const port = await freePort();
  const config = join(directory, "glance-api.conf");
  await writeFile(
    config,
    `[DEFAULT]\nbind_port = ${port}\n\n[perennial]\nnode_name = n1\npid_file = node.pid\nrelease = newton\n\n[small]\n`,
  );
  const fleetNode: LocalNodeAt = {
    name: "n1",
    driver: "local",
    address: `127.0.0.1:${port}`,
    directory,
    config,
    command: [process.execPath, smallNode, "--config-file", "{config}"],
  };
  const driver = createLocalNode(fleetNode, systemClock);
  return {
    fleetNode,
    driver,
    another: () => createLocalNode(fleetNode, systemClock),
    url: `http://127.0.0.1:${port}`,
    failAt: (release) => appendFile(config, `fail = ${release}\n`),
    deafen: () => appendFile(config, "deaf = yes\n"),
    takeOverWhen: (file) => appendFile(config, `take_over_when = ${file}\n`),
    clean: async () => {
      await driver.cut(signal);
      await rm(directory, { recursive: true });
    },
  };
}

nodeDriverConformance("local", make);
handOverConformance("local", make);

test("local nodes: a process id that was given out again is never taken for the node, nor signalled", async () => {
  const { fleetNode, driver, clean } = await make();
  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  try {
    await once(bystander, "spawn");
    const pidFile = join(fleetNode.directory, "node.pid");
    await writeFile(pidFile, `${bystander.pid}\n`);
    // As left behind by a node that ran an hour ago, and was killed.
    const then = new Date(Date.now() - 3_600_000);
    await utimes(pidFile, then, then);
    assert.equal((await driver.observe(signal)).process, "gone");
    await driver.stop(signal);
    await driver.cut(signal);
    assert(findProcess(bystander.pid ?? 0), "the bystander lives");
  } finally {
    bystander.kill("SIGKILL");
    await clean();
  }
});

test("local nodes: a stop that may not have been sent is told as unsure, and sent", async () => {
  const { fleetNode, driver, url, clean } = await make();
  try {
    await driver.start(signal);
    await eventually("healthy", async () => (await fetch(`${url}/healthcheck`)).ok);
    const { processId } = await driver.observe(signal);
    const mark = { id: processId, atMs: Date.now(), sent: false };
    await writeFile(join(fleetNode.directory, "glance-rollout.stop"), JSON.stringify(mark));
    const seen = await driver.observe(signal);
    assert.deepEqual([seen.process, seen.stopUnsure], ["stopping", true]);
    await driver.stop(signal);
    assert.equal((await driver.observe(signal)).stopUnsure, false);
    await eventually("gone", async () => (await driver.observe(signal)).process === "gone");
  } finally {
    await clean();
  }
});

/** As a process of its own, which is killed then. `wrapper`: what it is started with. */
async function startedByAnother(fleetNode: LocalNodeAt, ...wrapper: readonly string[]): Promise<void> {
  const script = `const { createLocalNode } = await import(${JSON.stringify(new URL("local-node.ts", import.meta.url).href)});
    const { systemClock } = await import(${JSON.stringify(new URL("../../../core/clock.ts", import.meta.url).href)});
    const node = createLocalNode(${JSON.stringify(fleetNode)}, systemClock);
    await node.start(new AbortController().signal); console.log("started"); setInterval(() => {}, 1000);`;
  const [program = "", ...args] = [...wrapper, process.execPath, "--input-type=module", "-e", script];
  const rollout = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(rollout.stdout, "data");
  rollout.kill("SIGKILL");
  await once(rollout, "exit");
}

test("local nodes: the node outlives the process that started it", async () => {
  const { fleetNode, driver, url, clean } = await make();
  try {
    await startedByAnother(fleetNode);
    await eventually("healthy", async () => (await fetch(`${url}/healthcheck`)).ok);
    const { process: state, pid } = await driver.observe(signal);
    assert.equal(state, "running");
    // Others of its fleet serve while it starts.
    assert(readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${givesWayVariable}=1`));
    await driver.stop(signal);
    await eventually("gone", async () => (await driver.observe(signal)).process === "gone");
  } finally {
    await clean();
  }
});

test("local nodes: a rollout in the idle class of the scheduler starts nodes in the usual one", async (context) => {
  if (spawnSync("chrt", ["--idle", "0", "chrt", "--other", "0", "true"]).status !== 0)
    return context.skip("this machine lets nobody out of the idle class");
  const { fleetNode, driver, clean } = await make();
  try {
    await startedByAnother(fleetNode, "chrt", "--idle", "0");
    const { pid } = await driver.observe(signal);
    const { stdout } = spawnSync("chrt", ["--all-tasks", "--pid", String(pid)], { encoding: "utf8" });
    assert.deepEqual([...new Set(stdout.match(/SCHED_\w+/g))], ["SCHED_OTHER"]);
  } finally {
    await clean();
  }
});

test("local nodes: installing a release changes its line alone; comments, order and mode stay", async () => {
  const { fleetNode, driver, clean } = await make();
  try {
    const text =
      "# ours\n[DEFAULT]\nbind_port = 1\n# the release, see the manual\n[perennial]\n; here\nrelease: newton\nnode_name = n1\n";
    await writeFile(fleetNode.config, text, { mode: 0o640 });
    await driver.install("ocata", signal);
    assert.equal(await readFile(fleetNode.config, "utf8"), text.replace("release: newton", "release = ocata"));
    await writeFile(fleetNode.config, "[perennial]\nnode_name = n1");
    await driver.install("newton", signal);
    assert.equal(readFileSync(fleetNode.config, "utf8"), "[perennial]\nrelease = newton\nnode_name = n1");
    await writeFile(fleetNode.config, "[DEFAULT]\nworkers = 2\n\n");
    await driver.install("newton", signal);
    assert.equal(readFileSync(fleetNode.config, "utf8"), "[DEFAULT]\nworkers = 2\n\n[perennial]\nrelease = newton\n");
    assert(!existsSync(`${fleetNode.config}.new`));
  } finally {
    await clean();
  }
});

test("local nodes: a hand-over notes how its new process is started; a node without a pid file of its own has none", async () => {
  const { fleetNode, driver, url, clean } = await make();
  const config = async () => readFile(fleetNode.config, "utf8");
  try {
    await driver.start(signal);
    await eventually("healthy", async () => (await fetch(`${url}/healthcheck`)).ok);
    await driver.handOver?.("ocata", signal);
    const { processId } = await driver.observe(signal);
    const option = parseConfig(await config(), fleetNode.config).find((one) => one.option === "handover_command");
    assert.deepEqual(splitCommand(option?.value ?? ""), [
      process.execPath,
      smallNode,
      "--config-file",
      fleetNode.config,
    ]);

    await writeFile(join(fleetNode.directory, "glance-api.pid"), readFileSync(join(fleetNode.directory, "node.pid")));
    await writeFile(fleetNode.config, (await config()).replace("pid_file = node.pid", ""));
    const seen = await driver.observe(signal);
    assert.deepEqual([seen.processId, seen.handsOver], [processId, false], "nobody would know the new process");
    await assert.rejects(driver.handOver?.("ocata", signal) ?? Promise.resolve(), /cannot hand over: .*pid_file/);
    assert.equal((await driver.observe(signal)).processId, processId);
  } finally {
    await clean();
  }
});
