// What every node driver promises, tried against real processes. A driver's own test makes a node it can drive, and runs this.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import type { NodeDriver } from "../nodes/node-driver.ts";

export type DrivenNode = {
  readonly driver: NodeDriver;
  /** A driver of the same node that knows nothing yet, as after a crash of the rollout. */
  readonly another: () => NodeDriver;
  /** http://host:port */
  readonly url: string;
  /** From now on the node exits at start when it is configured for this release. */
  failAt(release: string): Promise<void>;
  /** From now on, once started anew, the node does not react to the first signal. */
  deafen(): Promise<void>;
  /** From now on a new process takes over only when this file is there. */
  takeOverWhen(file: string): Promise<void>;
  /** Ends what may be left. */
  clean(): Promise<void>;
};

/** Processes start on slow machines, and by slow drivers. */
export const long = { msMax: 120_000 };
const signal = new AbortController().signal;

/** `make`: a node configured for newton that is not running. */
export function nodeDriverConformance(driverName: string, make: () => Promise<DrivenNode>): void {
  const promise = promiseOf(driverName, make);
  const gone = (node: DrivenNode) =>
    eventually("the process is gone", async () => (await node.driver.observe(signal)).process === "gone", long);
  promise("a node that never ran is seen as gone, with the release it would run as", async ({ driver }) => {
    const seen = await driver.observe(signal);
    assert.equal(seen.process, "gone");
    assert.equal(seen.configRelease, "newton");
    assert.equal(seen.processId, null);
  });

  promise(
    "start makes a process that is seen at once, by another driver too; starting twice starts one",
    async (node) => {
      await node.driver.start(signal);
      const seen = await node.driver.observe(signal);
      assert.equal(seen.process, "running");
      await node.another().start(signal);
      assert.equal((await node.another().observe(signal)).processId, seen.processId);
      await healthy(node);
    },
  );

  promise("stop lets the node finish its requests, and tells it once, by whichever driver", async (node) => {
    await started(node);
    const before = await node.driver.observe(signal);
    const folder = await mkdtemp(join(tmpdir(), "perennial-hold-"));
    const file = join(folder, "go");
    const request = fetch(`${node.url}/hold?file=${file}`);
    await eventually("the request is under way", async () => {
      const told = JSON.parse(await (await fetch(node.url)).text());
      return told.holding === 1;
    });
    await node.driver.stop(signal);
    await node.driver.stop(signal);
    await node.another().stop(signal);
    const seen = await node.another().observe(signal);
    assert.equal(seen.process, "stopping");
    assert.equal(seen.processId, before.processId);
    await writeFile(file, "");
    assert.equal((await request).status, 200);
    await gone(node);
    await node.driver.stop(signal);
    await rm(folder, { recursive: true });
  });

  promise("install changes what is started next, and is refused while the node runs", async (node) => {
    await started(node);
    await assert.rejects(node.driver.install("ocata", signal), { code: "rollout.driver_failed" });
    await node.driver.stop(signal);
    await gone(node);
    await node.driver.install("ocata", signal);
    await node.driver.install("ocata", signal);
    assert.equal((await node.another().observe(signal)).configRelease, "ocata");
    await started(node);
    const { release } = JSON.parse(await (await fetch(node.url)).text());
    assert.equal(release, "ocata");
  });

  promise("a node that does not stay up is gone, and its last words are kept", async (node) => {
    await node.failAt("newton");
    await node.driver.start(signal);
    await gone(node);
    assert.match((await node.driver.observe(signal)).lastWords ?? "", /64.*told to fail/);
  });

  promise("cut ends a node that goes on and on", async (node) => {
    await node.deafen();
    await started(node);
    await node.driver.stop(signal);
    assert.equal((await node.driver.observe(signal)).process, "stopping");
    await node.driver.cut(signal);
    assert.equal((await node.driver.observe(signal)).process, "gone");
    await node.driver.cut(signal);
  });

  promise("a process that was started anew is a different one, and is not taken for stopping", async (node) => {
    await started(node);
    const first = await node.driver.observe(signal);
    await node.driver.stop(signal);
    await gone(node);
    await started(node);
    const second = await node.another().observe(signal);
    assert.equal(second.process, "running");
    assert.notEqual(second.processId, first.processId);
  });
}

/** Tests by what they promise, each with a node of its own. */
export function promiseOf(driverName: string, make: () => Promise<DrivenNode>) {
  return (title: string, check: (node: DrivenNode) => Promise<void>) =>
    test(`${driverName} nodes: ${title}`, async () => {
      const node = await make();
      try {
        await check(node);
      } finally {
        await node.clean();
      }
    });
}

export function healthy(node: DrivenNode): Promise<boolean> {
  return eventually("the node is healthy", async () => (await fetch(`${node.url}/healthcheck`)).status === 200, long);
}

export async function started(node: DrivenNode): Promise<void> {
  await node.driver.start(signal);
  await healthy(node);
}
