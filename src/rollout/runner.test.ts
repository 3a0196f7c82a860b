// The runner's own promises: what it does with failures, signals and blindness. That its steps are right is decide's to prove.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, ServiceError } from "../core/errors.ts";
import type { NewEvent } from "./journal-event.ts";
import { type RunEnd, type RunnerOptions, runRollout, type World } from "./runner.ts";
import type { NodeView, Snapshot } from "./snapshot.ts";

const node: NodeView = {
  name: "n1",
  configRelease: "newton",
  process: "running",
  release: "newton",
  healthy: true,
  processMs: 1_000,
  rotation: { state: "ready", up: true, sessions: 2 },
  transfers: { count: 1, bytesLeft: 10, etaSeconds: 1 },
  heartbeatAgeSeconds: 1,
  starts: 0,
  lastWords: null,
  gate: "untested",
};
type Seen = Omit<Snapshot, "memory">;
const seen: Seen = {
  nodes: [node],
  due: "expand",
  backup: "verified",
  strangers: [],
  request: null,
  soakedMs: 0,
  canary: null,
};
const done: Seen = { ...seen, nodes: [{ ...node, release: "ocata" }], due: "nothing" };
const floorOfOne: RunnerOptions["plan"] = {
  way: "forward",
  target: "ocata",
  servingMin: 1,
  drain: { msMax: 10_000, policy: "wait" },
  settleMsMax: 1_000,
  startMsMax: 5_000,
  batches: [1],
  healthMsMax: 5_000,
  minHealthyMs: 0,
  soakMs: 0,
  canary: null,
  startsMax: 2,
  failuresMax: 3,
  strangersMsMax: 1_000,
  until: null,
};
const failure = (code: ErrorCode, text = "no") => new ServiceError(code, text);

type Ran = { readonly end: RunEnd; readonly events: readonly NewEvent[]; readonly sleptMs: number };
async function run(world: Partial<World>, change: Partial<RunnerOptions> = {}): Promise<Ran> {
  const events: NewEvent[] = [];
  let nowMs = 0;
  const end = await runRollout({
    plan: { ...floorOfOne, servingMin: 0 },
    world: { observe: async () => seen, act: async () => ({ text: "done" }), ...world },
    journal: {
      append: async (event) => {
        assert(events.push(event) < 1_000, "endless");
        return { ...event, seq: events.length, time: "" };
      },
    },
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    signal: new AbortController().signal,
    pollMs: 100,
    blindMsMax: 2_000,
    progressMs: 1_000,
    ...change,
  });
  return { end, events, sleptMs: nowMs };
}

test("a decision is journaled before it is done, with what the node has under way, and its result after", async () => {
  const order: string[] = [];
  let acted = false;
  const { end, events } = await run({
    observe: async () => (acted ? done : seen),
    act: async (action, report) => {
      order.push(action.do);
      acted = true;
      await report("half way");
      return { text: "drained" };
    },
  });
  assert.equal(end.end, "finished");
  assert.deepEqual(order, ["drain"]);
  assert.deepEqual(
    events.map((event) => `${event.kind} ${event.phase} ${event.text}`),
    [
      "decision nodes drain n1: it serves newton; 0 others serve",
      "action nodes half way",
      "result nodes drained",
      "decision done every node serves ocata and the database is contracted",
    ],
  );
  assert.deepEqual(events[0]?.data, {
    do: "drain",
    sessions: 2,
    transfers: { count: 1, bytesLeft: 10, etaSeconds: 1 },
  });
});

test("an action that fails is tried again, and pauses the rollout in the end", async () => {
  let tries = 0;
  const act = async () => {
    tries++;
    throw failure("rollout.driver_failed", "the socket is gone");
  };
  const { end } = await run({ act });
  assert.equal(tries, 3);
  assert.deepEqual(end, { end: "paused", why: "drain n1 failed 3 times: the socket is gone" });
});

test("an action without effect pauses the rollout instead of being repeated for ever", async () => {
  const { end } = await run({});
  assert.match(end.end === "paused" ? end.why : "", /drain n1 was done again and again/);
});

test("a backup that fails ends the run: nothing was touched", async () => {
  const act = async () => {
    throw failure("rollout.backup_failed", "no room");
  };
  const { end } = await run({ observe: async () => ({ ...seen, backup: "missing" }), act });
  assert.deepEqual(end, { end: "failed", why: "no room" });
});

test("another run of the schema engine is waited for, however long it takes", async () => {
  const installed: Seen = {
    ...seen,
    nodes: [
      {
        ...node,
        configRelease: "ocata",
        process: "gone",
        release: null,
        healthy: false,
        rotation: { state: "maint", up: false, sessions: 0 },
      },
    ],
  };
  let tries = 0;
  const { end } = await run({
    observe: async () => (tries > 20 ? done : installed),
    act: async () => {
      tries++;
      throw failure("schema.locked");
    },
  });
  assert.equal(end.end, "finished");
});

test("a look that fails is repeated for a while; one that can never succeed is not", async () => {
  const blind = (code: ErrorCode) => run({ observe: async () => Promise.reject(failure(code, "cannot see")) });
  const unreachable = await blind("db.unreachable");
  assert.deepEqual(unreachable.end, { end: "paused", why: "cannot see" });
  assert(unreachable.sleptMs >= 2_000);
  assert.equal(unreachable.events.length, 2, "said once, and the pause");
  const wrong = await blind("rollout.fleet_invalid");
  assert.deepEqual([wrong.end.end, wrong.sleptMs], ["paused", 0]);
});

test("a signal ends it between two steps; what is under way is told to end", async () => {
  const stop = new AbortController();
  const { end, events } = await run(
    {
      act: async (_action, _report, signal) => {
        stop.abort(new Error("SIGTERM"));
        signal.throwIfAborted();
        return { text: "never" };
      },
    },
    { signal: stop.signal },
  );
  assert.deepEqual(end, { end: "stopped" });
  assert.match(events.at(-1)?.text ?? "", /stopped by a signal/);
});

test("a wait is journaled once, and then its progress every now and then", async () => {
  let looks = 0;
  const draining = (): Seen => ({
    ...seen,
    nodes: [
      {
        ...node,
        process: "stopping",
        rotation: { state: "drain", up: false, sessions: 1 },
        transfers: { count: 1, bytesLeft: 1_000_000 * (100 - looks), etaSeconds: null },
      },
    ],
  });
  const { events } = await run({ observe: async () => (looks++ < 50 ? draining() : done) });
  const kinds = events.map((event) => event.kind);
  assert.deepEqual([kinds[0], kinds[1], kinds.at(-1)], ["decision", "observation", "decision"]);
  assert(events.length < 10, `${events.length} entries for 5 s`);
});

test("as far as it was asked to go, or given up: both end the run, and are in the journal", async () => {
  const ready = async () => ({ ...done, due: "contract" as const });
  const plan = { ...floorOfOne, servingMin: 0, until: "nodes" } as const;
  const reached = await run({ observe: ready }, { plan });
  assert.deepEqual([reached.end.end, reached.events.at(-1)?.data?.do], ["reached", "reach"]);
  const request = { do: "abort", told: "ops" } as const;
  const aborted = await run({ observe: async () => ({ ...seen, request }) });
  assert.deepEqual([aborted.end.end, aborted.events.at(-1)?.data?.do], ["aborted", "abort"]);
});

test("who lost the lease acts no more, and leaves the journal alone", async () => {
  let acts = 0;
  const act = async () => {
    acts++;
    throw failure("rollout.lease_lost", "process 2 has it");
  };
  const { end, events } = await run({ act });
  assert.deepEqual([end, acts], [{ end: "displaced", why: "process 2 has it" }, 1]);
  assert.deepEqual(
    events.map((event) => event.kind),
    ["decision"],
  );
});

test("a verdict is journaled with its figures, once; a failed one ends the run so that the fleet goes back", async () => {
  const old: NodeView = { ...node, name: "n2" };
  const fresh: NodeView = { ...node, configRelease: "ocata", release: "ocata" };
  const group = { nodes: ["n1"], requests: 1_000, errors: 0, p99Ms: 5 };
  const figures = { windowMs: 60_000, new: group, old: { ...group, nodes: ["n2"] } };
  const canary = { windowMs: 1_000, requestsMin: 1, errorRateMax: 0, p99RatioMax: 2, onFailure: "rollback" } as const;
  const plan = { ...floorOfOne, servingMin: 0, canary, until: "canary" } as const;
  const both: Seen = { ...seen, nodes: [{ ...fresh, gate: "passed" }, old], due: "contract", canary: figures };
  const passed = await run({ observe: async () => both }, { plan });
  assert.deepEqual(
    passed.events.map((event) => event.data?.do),
    ["judge", "reach"],
  );
  assert.deepEqual([passed.events[0]?.data?.verdict, passed.events[0]?.data?.figures], ["passed", figures]);
  const worse = { ...figures, new: { ...group, errors: 20 } };
  const failed = await run({ observe: async () => ({ ...both, canary: worse }) }, { plan });
  assert.deepEqual([failed.end.end, failed.events.at(-1)?.data?.verdict], ["retreat", "failed"]);
});

test("an action that is due again is made on a new look only: what allowed it may be gone", async () => {
  const other: NodeView = { ...node, name: "n2" };
  const died: NodeView = { ...other, process: "gone", release: null, healthy: false };
  let looks = 0;
  const acts: string[] = [];
  const { end } = await run(
    {
      // The balancer was told, and does not show it; a moment later the only other node dies.
      observe: async () => ({ ...seen, nodes: [{ ...node }, looks++ < 2 ? other : died], due: "contract" }),
      act: async (action) => {
        acts.push(`${action.do} ${"node" in action ? action.node : ""}`);
        return { text: "done" };
      },
    },
    { plan: { ...floorOfOne, batches: [2] } },
  );
  assert.equal(acts.filter((act) => act === "drain n1").length, 1, acts.join());
  assert.equal(end.end, "paused");
});

test("what was seen too long ago is not acted upon, and where that happens again and again it pauses", async () => {
  let nowMs = 0;
  let acts = 0;
  const texts: string[] = [];
  const change = (slow: () => boolean): Partial<RunnerOptions> => ({
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => undefined },
    journal: {
      append: async (event) => {
        texts.push(event.text);
        if (slow()) nowMs += 30_000;
        return { ...event, seq: texts.length, time: "" };
      },
    },
  });
  const world = { observe: async () => (acts > 0 ? done : seen), act: async () => ({ text: `done ${++acts}` }) };
  const once = await run(
    world,
    change(() => texts.length === 1),
  );
  assert.deepEqual([once.end.end, acts], ["finished", 1]);
  assert.equal(texts[1], "not done: the look it rests on is 30 s old by now");
  acts = 0;
  const always = await run(
    world,
    change(() => true),
  );
  assert.deepEqual([always.end.end, acts], ["paused", 0]);
  assert.match(always.end.end === "paused" ? always.end.why : "", /writing the journal took 30 s, 3 times/);
});

test("each batch's comparison has all of its time: that of the batch before it does not count", async () => {
  const canary = { windowMs: 1_000, requestsMin: 1, errorRateMax: 0, p99RatioMax: 2, onFailure: "pause" } as const;
  const releases: ("newton" | "ocata")[] = ["ocata", ...Array<"newton">(9).fill("newton")];
  let looks = 0;
  const group = { nodes: [], requests: 1_000, errors: 0, p99Ms: 5 };
  const observe = async (): Promise<Seen> => ({
    ...seen,
    due: "contract",
    nodes: releases.map((release, index) => ({
      ...node,
      name: `n${index}`,
      release,
      configRelease: release,
      handsOver: true,
    })),
    // A batch's window is over when it was looked at for long enough.
    canary: { windowMs: 100 * looks++, new: group, old: group },
  });
  const act: World["act"] = async (action) => {
    if (!("node" in action)) return { text: "contracted" };
    releases[Number(action.node.slice(1))] = "ocata";
    looks = 0;
    return { text: "served by a new process" };
  };
  const plan = { ...floorOfOne, servingMin: 0, canary, strategy: "handover", until: "nodes" } as const;
  const { end } = await run({ observe, act }, { plan });
  assert.equal(end.end, "reached", JSON.stringify(end));
});
