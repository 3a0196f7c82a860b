// What open pages are told: everything once, then only what is new, and after a break what they missed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { systemClock } from "../core/clock.ts";
import { type FeedMessage, LiveFeed } from "./live-feed.ts";
import { applyPatch, type LivePatch, type LiveState } from "./live-state.ts";
import { entry, openStream, startConsole } from "./testing/console-scene.ts";

test("feed: a page is told the whole once and then what is new, and has the same as the server", async (t) => {
  const { desk, address } = await startConsole(t, { nodes: ["n1", "n2"] });
  desk.open("glance-ocata-20261126T120000Z", [entry(1)]);
  const leave = new AbortController();
  const stream = openStream(address, undefined, leave.signal);
  const first = await next(stream);
  assert.equal(first.event, "whole");
  let state = JSON.parse(first.data) as LiveState;
  for (const seq of [2, 3]) {
    desk.add([entry(seq)]);
    while (state.entries.length < seq) {
      const told = await next(stream);
      assert.equal(told.event, "patch");
      const patch = JSON.parse(told.data) as LivePatch;
      assert((patch.entries?.length ?? 0) <= 1, "nothing is told twice");
      assert.equal(patch.nodes, undefined, "nodes that did not change are not told");
      state = applyPatch(state, patch);
    }
  }
  assert.deepEqual(state.entries, desk.entries);
  leave.abort();
});

test("feed: after a break a page gets what it missed, two pages at once each from where they were", async (t) => {
  const { desk, address } = await startConsole(t);
  desk.open("glance-ocata-20261126T120000Z", [entry(1)]);
  const told = await readUntil(address, undefined, (state) => state.entries.length === 1);
  desk.add([entry(2)]);
  const second = await readUntil(address, told, (state) => state.entries.length === 2);
  desk.add([entry(3)]);
  const both = await Promise.all([
    readUntil(address, told, (state) => state.entries.length === 3),
    readUntil(address, second, (state) => state.entries.length === 3),
  ]);
  assert.deepEqual(
    both.map(({ first }) => first),
    ["patch", "patch"],
  );
  assert.deepEqual(both[0].state.entries, desk.entries);
});

test("feed: a page of a server before this one is told the whole", async (t) => {
  const before = await startConsole(t);
  before.desk.open("glance-ocata-20261126T120000Z", [entry(1)]);
  const told = await readUntil(before.address, undefined, (state) => state.entries.length === 1);
  await before.close();
  const after = await startConsole(t);
  after.desk.open("glance-ocata-20261126T130000Z", [entry(1), entry(2)]);
  const again = await readUntil(after.address, told, (state) => state.entries.length === 2);
  assert.equal(again.first, "whole");
  assert.equal(again.state.head.rollout, "glance-ocata-20261126T130000Z");
});

test("feed: names with scripts in them go through as text", async (t) => {
  const name = "</script><script>alert(1)</script>\n\ndata: x";
  const { desk, address } = await startConsole(t, { fleet: name, nodes: [name] });
  desk.open("glance-ocata-20261126T120000Z", [entry(1, name)]);
  const { state } = await readUntil(address, undefined, ({ entries }) => entries.length === 1);
  assert.deepEqual([state.head.fleet, state.nodes[0]?.name, state.entries[0]?.text], [name, name, name]);
});

test("feed: at most four messages a second, and the last state always arrives", async () => {
  const { feed, publish, clock } = stillFeed();
  const told: FeedMessage[] = [];
  feed.subscribe((message) => told.push(message));
  for (let step = 1; step <= 40; step++) {
    publish(step);
    clock.forward(25);
    await Promise.resolve();
  }
  clock.forward(250);
  await new Promise(setImmediate);
  assert(told.length <= 1 + 5, `${told.length} messages in a second`);
  const last = told.at(-1)?.data as LivePatch | undefined;
  assert.deepEqual(last?.head, { atMs: 40 });
});

test("feed: another rollout, another past and a page that was away for too long are told the whole", async () => {
  const { feed, clock, publish } = stillFeed();
  const told: FeedMessage[] = [];
  feed.subscribe((message) => told.push(message));
  const early = told[0]?.id;
  for (let step = 1; step <= 300; step++) {
    publish(step);
    clock.forward(250);
    await Promise.resolve();
  }
  const late: FeedMessage[] = [];
  feed.subscribe((message) => late.push(message), early);
  assert.deepEqual([late.length, late[0]?.event], [1, "whole"]);
  publish(301, { entries: [entry(1, "another past")] });
  publish(302, { rollout: "other" });
  clock.forward(250);
  await new Promise(setImmediate);
  assert.equal(told.at(-1)?.event, "whole");
});

test("feed: whoever leaves is told no more", async (t) => {
  const { desk, address } = await startConsole(t);
  const leave = new AbortController();
  await next(openStream(address, undefined, leave.signal));
  assert.equal(desk.feed.readers, 1);
  leave.abort();
  await eventually("its page is gone", async () => desk.feed.readers === 0, { msMax: 60_000, everyMs: 20 });
});

/** A feed whose time stands still unless it is moved. */
function stillFeed() {
  let nowMs = 0;
  let sleepers: { atMs: number; wake: () => void }[] = [];
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: (ms: number) => new Promise<void>((wake) => sleepers.push({ atMs: nowMs + ms, wake })),
    forward(ms: number) {
      nowMs += ms;
      for (const { wake } of sleepers.filter(({ atMs }) => atMs <= nowMs)) wake();
      sleepers = sleepers.filter(({ atMs }) => atMs > nowMs);
    },
  };
  const stateAt = (atMs: number, change: { entries?: LiveState["entries"]; rollout?: string } = {}): LiveState => ({
    head: { atMs, rollout: change.rollout ?? "r" } as LiveState["head"],
    nodes: [],
    entries: change.entries ?? [entry(1)],
    samples: [],
  });
  const feed = new LiveFeed(stateAt(0), clock);
  return { feed, clock, publish: (step: number, change = {}) => feed.publish(stateAt(step, change)) };
}

async function next(stream: ReturnType<typeof openStream>) {
  const { value } = await stream.next();
  assert(value, "the stream has not ended");
  return value;
}

type Read = { readonly id: string; readonly first: string; readonly state: LiveState };

async function readUntil(
  address: string,
  from: Read | undefined,
  enough: (state: LiveState) => boolean,
): Promise<Read> {
  const leave = new AbortController();
  let first: string | undefined;
  let state = from?.state;
  try {
    for await (const { id, event, data } of openStream(address, from?.id, leave.signal)) {
      first ??= event;
      if (event === "whole") state = JSON.parse(data) as LiveState;
      else if (state) state = applyPatch(state, JSON.parse(data) as LivePatch);
      if (state && enough(state)) return { id, first, state };
    }
  } finally {
    leave.abort();
  }
  return assert.fail("the stream ended");
}
