// A node whose Glance is taken over or given back, with a stand-in for each of the two: which one a step is made at.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import type { GlanceProcess, GlanceView } from "./glance-process.ts";
import { TakenNode, type TakenNodeOptions } from "./taken-node.ts";

const { signal } = new AbortController();
const view: GlanceView = { id: "7@1/b", told: "process 7: glance-api", processes: [], stopping: false, processMs: 5 };

function scene(goal: TakenNodeOptions["goal"], start: { glance?: boolean; own?: boolean }) {
  const acts: string[] = [];
  const living = { glance: start.glance === true, own: start.own === true };
  let configRelease: NodeObservation["configRelease"] = "2026.1";
  const note = (act: string, change: () => void = () => undefined) => {
    acts.push(act);
    change();
  };
  const own: NodeDriver = {
    observe: async () => ({
      configRelease,
      process: living.own ? "running" : "gone",
      stopUnsure: false,
      processId: living.own ? "1" : null,
      pid: living.own ? 1 : null,
      processMs: 0,
      lastWords: null,
    }),
    stop: async () => note("stop ours", () => (living.own = false)),
    cut: async () => note("cut ours", () => (living.own = false)),
    install: async (release) => note(`install ${release}`, () => (configRelease = release)),
    start: async () => note("start ours", () => (living.own = true)),
    startAtBoot: async (wanted) => note(`${wanted ? "enable" : "disable"} ours`),
  };
  const glance: Pick<GlanceProcess, "observe" | "connections" | "stop" | "cut" | "disable" | "start"> = {
    observe: async () => (living.glance ? view : undefined),
    connections: async () => ["10.0.0.1:50000"],
    stop: async () => note("stop glance", () => (living.glance = false)),
    cut: async () => note("cut glance", () => (living.glance = false)),
    disable: async () => note("disable glance"),
    start: async () => note("start glance", () => (living.glance = true)),
  };
  // Its other members are not asked for.
  const node = new TakenNode({ own, glance: glance as GlanceProcess, release: "zed", goal });
  return { node, acts, living };
}

test("taken over: Glance is stopped and disabled, ours installed and started, and its connections are told while nothing runs", async () => {
  const { node, acts } = scene("perennial", { glance: true });
  const before = await node.observe(signal);
  assert.deepEqual(
    [before.software, before.configRelease, before.process, before.pid],
    ["glance", "zed", "running", null],
  );
  await node.stop(signal);
  const gone = await node.observe(signal);
  assert.deepEqual(
    [gone.process, gone.configRelease, gone.toInstall, gone.connections],
    ["gone", "zed", true, ["10.0.0.1:50000"]],
    "what stood in our configuration before is not what it is taken over as",
  );
  await node.install("zed", signal);
  assert.equal((await node.observe(signal)).toInstall, false);
  await node.start(signal);
  assert.equal((await node.observe(signal)).software, undefined);
  assert.deepEqual(acts, ["stop glance", "disable glance", "install zed", "enable ours", "start ours"]);
});

test("given back: ours is told to finish, and Glance is started without anything being installed", async () => {
  const { node, acts } = scene("glance", { own: true });
  await node.stop(signal);
  const gone = await node.observe(signal);
  assert.deepEqual([gone.process, gone.configRelease, gone.toInstall], ["gone", "zed", false]);
  await node.start(signal);
  assert.equal((await node.observe(signal)).software, "glance");
  assert.deepEqual(acts, ["stop ours", "disable ours", "start glance"]);
});

test("a Glance beside ours is told of, and what is stopped or ended is ours", async () => {
  const { node, acts, living } = scene(null, { own: true, glance: true });
  const seen = await node.observe(signal);
  assert.deepEqual([seen.software, seen.besides], [undefined, "process 7: glance-api"]);
  await node.stop(signal);
  living.own = true;
  await node.cut(signal);
  await node.cut(signal);
  assert.deepEqual(acts, ["stop ours", "cut ours", "cut glance"]);
});
