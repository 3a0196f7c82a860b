// What every node driver that can hand over promises of it, tried against real processes, beside node-driver-conformance.ts.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { eventually } from "../../../test/servers/eventually.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import type { NodeDriver } from "../nodes/node-driver.ts";
import { type DrivenNode, healthy, long, promiseOf, started } from "./node-driver-conformance.ts";

const signal = new AbortController().signal;

type Told = {
  readonly pid: number;
  readonly release: string;
  readonly holding: number;
  readonly handingOver: boolean;
};

/** `make`: a node configured for newton that is not running. */
export function handOverConformance(driverName: string, make: () => Promise<DrivenNode>): void {
  const promise = promiseOf(driverName, make);

  promise("a hand-over leaves a new process, back again too, while old ones finish what they have", async (node) => {
    await started(node);
    const folder = await mkdtemp(join(tmpdir(), "perennial-hold-"));
    const held: Promise<Told>[] = [];
    const hold = async (release: ReleaseId) => {
      const { pid } = await servedAs(node, release);
      const answer = ask(`${node.url}/hold?file=${join(folder, "go")}`);
      answer.catch(() => undefined);
      held.push(answer);
      await eventually("it is under way", async () => (await ask(node.url)).holding === 1, long);
      return { pid, seen: await node.another().observe(signal) };
    };
    try {
      const first = await hold("newton");
      assert.equal(first.seen.handsOver, true);
      await handOver(node.driver, "ocata");
      const second = await hold("ocata");
      await handOver(node.another(), "newton");
      const { pid } = await servedAs(node, "newton");
      const third = await node.driver.observe(signal);
      assert.deepEqual([third.process, third.configRelease, third.pid], ["running", "newton", pid]);
      assert.deepEqual(
        [second.seen.process, second.seen.configRelease, second.seen.pid],
        ["running", "ocata", second.pid],
      );
      assert.equal(new Set([first, second].map(({ seen }) => seen.processId).concat(third.processId)).size, 3);
      await writeFile(join(folder, "go"), "");
      assert.deepEqual(
        (await Promise.all(held)).map((answer) => answer.pid),
        [first.pid, second.pid],
      );
    } finally {
      await writeFile(join(folder, "go"), "");
      await Promise.allSettled(held);
      await rm(folder, { recursive: true });
    }
  });

  promise(
    "a new process that does not become ready changes nothing; the reason is told, and it can be tried again",
    async (node) => {
      await started(node);
      await node.failAt("ocata");
      const before = await node.driver.observe(signal);
      await assert.rejects(handOver(node.driver, "ocata"), {
        code: "rollout.driver_failed",
        message: /goes on as it was.*exit code 64/,
      });
      const after = await node.another().observe(signal);
      const asIs = (seen: typeof before) => [seen.processId, seen.process, seen.configRelease, seen.handsOver];
      assert.deepEqual(asIs(after), asIs(before));
      await healthy(node);
      await handOver(node.driver, "pike");
      await servedAs(node, "pike");
      assert.notEqual((await node.driver.observe(signal)).processId, before.processId);
    },
  );

  promise(
    "asked again while one is under way, as after a crash of the rollout, it ends in a new process all the same",
    async (node) => {
      const folder = await mkdtemp(join(tmpdir(), "perennial-when-"));
      await started(node);
      await node.takeOverWhen(join(folder, "go"));
      const before = await servedAs(node, "newton");
      const rollout = new AbortController();
      const given = assert.rejects(handOver(node.driver, "ocata", rollout.signal));
      await eventually("it is under way", async () => (await ask(node.url)).handingOver, long);
      rollout.abort();
      await given;
      const meanwhile = await node.another().observe(signal);
      assert.deepEqual([meanwhile.process, meanwhile.pid], ["running", before.pid]);
      const again = handOver(node.another(), "ocata");
      await writeFile(join(folder, "go"), "");
      await again;
      const after = await servedAs(node, "ocata");
      const seen = await node.driver.observe(signal);
      assert.deepEqual([seen.process, seen.configRelease, seen.pid], ["running", "ocata", after.pid]);
      await rm(folder, { recursive: true });
    },
  );
}

async function handOver(driver: NodeDriver, release: ReleaseId, stop: AbortSignal = signal): Promise<void> {
  assert(driver.handOver, "the driver hands over");
  await driver.handOver(release, stop);
}

/** Over a connection of its own, which whoever listens now takes. */
async function ask(url: string): Promise<Told> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false }, resolve).once("error", reject);
  });
  return JSON.parse(await text(answer));
}

async function servedAs(node: DrivenNode, release: ReleaseId): Promise<Told> {
  const told = await ask(node.url);
  assert.equal(told.release, release);
  return told;
}
