// The sampler beside a rollout: what it writes down of nodes that answer, are silent, or were started anew, and that nothing which goes
// wrong here reaches the rollout.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { Clock } from "../../core/clock.ts";
import type { NodeRow } from "../../db/repositories/node-repository.ts";
import { node as nodeView } from "../testing/decision-scene.ts";
import type { FleetSample, NodeSample } from "./sample.ts";
import { Sampler, type SamplerOptions } from "./sampler.ts";

type Kept = { fleet: FleetSample; nodes: readonly NodeSample[] };

async function metricsServer(t: TestContext, text: () => string): Promise<string> {
  const server = createServer((_request, response) => response.end(text()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function metrics(ok: number, failed: number, files = 0): string {
  const line = (route: string, status: string, count: number) =>
    `perennial_api_requests_total{method="GET",route="${route}",status="${status}"} ${count}`;
  return [
    line("/images", "2xx", ok),
    line("/images", "5xx", failed),
    line("/images/:imageId/file", "2xx", files),
    line("/healthcheck", "2xx", 1_000),
    `perennial_api_request_duration_seconds_bucket{le="0.1",method="GET",route="/images"} ${ok}`,
    `perennial_api_request_duration_seconds_bucket{le="+Inf",method="GET",route="/images"} ${ok + failed}`,
  ].join("\n");
}

/** A clock whose sleeps end when the test says so. */
function steppedClock() {
  let nowMs = 1_000_000;
  let sleeping = Promise.withResolvers<() => void>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (_ms, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (signal?.aborted) resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
      sleeping.resolve(resolve);
      return promise;
    },
  };
  return {
    clock,
    /** When the sampler rests: wakes it after `ms`. */
    async pass(ms: number): Promise<void> {
      const wake = await sleeping.promise;
      sleeping = Promise.withResolvers();
      nowMs += ms;
      wake();
    },
    rests: async () => void (await sleeping.promise),
  };
}

function sampler(clock: Clock, change: Partial<SamplerOptions>): { it: Sampler; kept: Kept[]; troubles: string[] } {
  const kept: Kept[] = [];
  const troubles: string[] = [];
  const it = new Sampler({
    nodes: [],
    balancer: { observe: async () => new Map() },
    rows: async () => [],
    open: async () => ({ add: async (fleet, nodes) => void kept.push({ fleet, nodes }) }),
    clock,
    onTrouble: (error) => troubles.push(error instanceof Error ? error.message : String(error)),
    ...change,
  });
  return { it, kept, troubles };
}

function row(name: string, change: Partial<NodeRow> = {}, silentSeconds = 1) {
  const record: NodeRow = {
    name,
    address: "127.0.0.1:1",
    release: "newton",
    packageVersion: "0",
    pid: 1,
    state: "serving",
    transfers: { uploads: 1, downloads: 2, bytesLeft: 100, etaSeconds: 7 },
    p99Ms: null,
    ...change,
  };
  return { record, silentSeconds };
}

test("sampler: answers are counted from when it began, over a restart of a node, without health checks", async (t) => {
  let text = metrics(100, 1);
  const address = await metricsServer(t, () => text);
  const { clock, pass, rests } = steppedClock();
  const { it, kept } = sampler(clock, { nodes: [{ name: "n1", address }] });
  it.start();
  await rests();
  text = metrics(150, 3, 2);
  await pass(2_000);
  await rests();
  text = metrics(10, 0);
  await pass(2_000);
  await rests();
  await it.stop();
  const figures = kept.map(({ fleet }) => [fleet.answers["2xx"], fleet.answers["5xx"], fleet.transfers, fleet.told]);
  assert.deepEqual(figures.slice(0, 3), [
    [0, 0, 0, 1],
    [52, 2, 2, 1],
    [62, 2, 2, 1],
  ]);
  assert.equal(figures.length, 4, "and once more at the end");
  assert.deepEqual(kept[2]?.fleet.times.at(-1), [null, 62]);
  assert.equal(new Set(kept.map(({ fleet }) => fleet.run)).size, 1);
});

test("sampler: while the rollout acts nodes are told from balancer, registry and their own answers", async (t) => {
  const address = await metricsServer(t, () => metrics(1, 0));
  const closed = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => closed.once("listening", resolve));
  const refusing = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
  await new Promise((resolve) => closed.close(resolve));
  const { clock, rests } = steppedClock();
  const nodes = [
    { name: "n1", address },
    { name: "n2", address: refusing },
    { name: "n3", address: refusing },
  ];
  const ready = { state: "ready", up: true, sessions: 4, failures: 2 } as const;
  const { it, kept } = sampler(clock, {
    nodes,
    balancer: { observe: async () => new Map([["n1", ready]]) },
    rows: async () => [row("n1"), row("n2", { state: "draining" }), row("n3", {}, 500)],
  });
  it.start();
  await rests();
  await it.stop();
  const seen = kept[0]?.nodes.map(({ name, process, rotation, requests, transfers }) => {
    return [name, process, rotation, requests, transfers?.count ?? null];
  });
  assert.deepEqual(seen, [
    ["n1", "running", "ready", 4, 3],
    ["n2", "stopping", null, null, 3],
    ["n3", "gone", null, null, null],
  ]);
  assert.deepEqual([kept[0]?.fleet.told, kept[0]?.fleet.asked, kept[0]?.fleet.balancerFailures], [1, 3, 0]);
});

test("sampler: what the rollout has just seen is not asked for again", async (t) => {
  const address = await metricsServer(t, () => "nothing of a node's");
  const { clock, rests } = steppedClock();
  const balancer = {
    observe: async () => {
      throw new Error("the balancer was asked");
    },
  };
  const { it, kept, troubles } = sampler(clock, { nodes: [{ name: "n1", address }], balancer });
  it.look([nodeView("n1", { rotation: { sessions: 9 } })]);
  it.start();
  await rests();
  await it.stop();
  assert.deepEqual([kept[0]?.nodes[0]?.requests, kept[0]?.nodes[0]?.release, kept[0]?.fleet.told], [9, "newton", 0]);
  assert.deepEqual(troubles, []);
});

test("sampler: a database that refuses, and then hangs, is told once, and the end comes all the same", async () => {
  const { clock, pass, rests } = steppedClock();
  let calls = 0;
  const add = async () => {
    calls++;
    throw new Error("the disk is full");
  };
  const { it, troubles } = sampler(clock, { open: async () => ({ add }) });
  it.start();
  await rests();
  await pass(2_000);
  await rests();
  await it.stop();
  assert.deepEqual([troubles, calls], [["the disk is full"], 3]);
  const hanging = steppedClock();
  let hung = 0;
  const never = sampler(hanging.clock, {
    open: () => {
      hung++;
      return new Promise(() => undefined);
    },
  });
  never.it.start();
  await never.it.stop();
  assert.equal(hung, 1, "nothing more is begun while it hangs");
});
