// The view of a rollout at any moment: what it says, when it was known, and that it never says more than is known.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutView } from "./model.ts";
import {
  began,
  beganMs,
  dated,
  fleetSample,
  nodeSample,
  nodesAt,
  timelineOf,
  wholeWay,
} from "./testing/rollout-scene.ts";

const entries = dated(wholeWay);
const at = (seconds: number) => beganMs + seconds * 1000;
const states = (view: RolloutView) => view.nodes.map(({ name, state }) => `${name} ${state.value}`).join(", ");
const bar = (view: RolloutView) => view.phases.map(({ phase, state }) => `${phase} ${state}`).join(", ");
/** The moment of the first entry whose text fits. */
const momentOf = (text: RegExp) => at(wholeWay.findIndex((entry) => text.test(entry.text)) * 10);

test("timeline: the phase bar tells what is behind, under way, resting and ahead, and how long each took", () => {
  const timeline = timelineOf(entries);
  assert.equal(
    bar(timeline.viewAt(at(10))),
    "backup current, expand ahead, migrate ahead, nodes ahead, contract ahead",
  );
  const expand = timeline.viewAt(momentOf(/^expand/));
  assert.equal(bar(expand), "backup done, expand current, migrate ahead, nodes resting, contract ahead");
  const last = timeline.viewAt(at(10_000));
  assert.equal(bar(last), "backup done, expand done, migrate done, nodes done, contract done");
  assert.deepEqual([last.state, last.atMs, last.now.doing], ["finished", timeline.lastAtMs, "Finished"]);
  const seconds = last.phases.reduce((sum, phase) => sum + phase.seconds, 0);
  assert.equal(seconds, (wholeWay.length - 1) * 10);
});

test("timeline: nodes follow from the journal alone, and it says that figures were not recorded", () => {
  const timeline = timelineOf(entries);
  assert.equal(states(timeline.viewAt(at(0))), "n1 serving, n2 serving, n3 serving");
  assert.equal(states(timeline.viewAt(momentOf(/^n1 gets no new/))), "n1 draining, n2 serving, n3 serving");
  const back = timeline.viewAt(momentOf(/^n1 is in rotation/));
  assert.deepEqual(
    back.nodes.map(({ release, moved }) => [release?.value, moved]),
    [
      ["ocata", true],
      ["newton", false],
      ["newton", false],
    ],
  );
  assert(back.notes.some((note) => note.includes("were not recorded")));
  assert.deepEqual([back.traffic.recorded, back.traffic.latest], [false, null]);
});

test("timeline: the last sample of a run is taken after its last entry, and its requests count", () => {
  const end = wholeWay.length * 10;
  const timeline = timelineOf(entries, {
    samples: { fleet: [0, end - 20, end + 1].map((one) => fleetSample(one)), nodes: [] },
  });
  const lastMs = timeline.lastAtMs ?? 0;
  assert(lastMs < at(end + 1));
  assert.equal(timeline.viewAt(lastMs).traffic.totals.requests, (end + 1) * 11);
  assert.equal(timeline.viewAt(lastMs - 1).traffic.totals.requests, (end - 20) * 11, "before that it is not known yet");
});

test("timeline: samples give figures with their time, and old ones are called stale", () => {
  const nodes = [nodesAt(4, [nodeSample("n1"), nodeSample("n2", { healthy: false })])];
  const timeline = timelineOf(dated([began]), { samples: { fleet: [0, 2, 4].map((one) => fleetSample(one)), nodes } });
  const fresh = timeline.viewAt(at(5), { held: true });
  assert.equal(states(fresh), "n1 serving, n2 unwell, n3 serving");
  assert.deepEqual(fresh.nodes[0]?.figures?.value.transfers, { count: 1, bytesLeft: 1_000_000, etaSeconds: 12 });
  assert.deepEqual([fresh.nodes[0]?.figures?.stale, fresh.nodes[0]?.figures?.atMs], [false, at(4)]);
  assert.deepEqual(fresh.traffic.latest?.value.perSecond, { "2xx": 10, "3xx": 0, "4xx": 1, "5xx": 0 });
  assert.equal(fresh.traffic.totals.requests, 44);
  const later = timeline.viewAt(at(600), { held: true });
  assert.deepEqual(
    [later.nodes[0]?.figures?.stale, later.nodes[0]?.state.stale, later.traffic.latest?.stale],
    [true, true, true],
  );
  assert.equal(timeline.viewAt(at(1)).nodes[0]?.figures, null, "what came later is not known yet");
});

test("timeline: every moment looks the same whichever way it is reached, and live as afterwards", () => {
  const all = timelineOf(entries);
  const moments = entries.map((_entry, index) => at(index * 10 + 5));
  const forward = moments.map((moment) => JSON.stringify(all.viewAt(moment, { held: true })));
  const backward = moments.toReversed().map((moment) => JSON.stringify(all.viewAt(moment, { held: true })));
  assert.deepEqual(backward.toReversed(), forward);
  const live = timelineOf([]);
  const seen = entries.map((entry, index) => {
    live.add({ entries: [entry] });
    return JSON.stringify(live.viewAt(at(index * 10 + 5), { held: true }));
  });
  assert.deepEqual(seen, forward);
});

test("timeline: migration, gates and what comes next are told in figures and words", () => {
  const timeline = timelineOf(entries);
  const moment = momentOf(/^500 of/);
  const migrating = timeline.viewAt(moment);
  assert.equal(migrating.migration?.progress?.value.rowsPerSecond, 100);
  assert.deepEqual([migrating.migration?.state, migrating.migration?.progress?.stale], ["running", false]);
  assert.match(migrating.now.doing, /^Migrates the data/);
  const last = timeline.viewAt(at(10_000));
  assert.deepEqual(
    last.gates.map(({ gate, node, verdict }) => `${gate} ${node ?? "-"} ${verdict}`),
    ["backup - passed", "probe n1 passed", "probe n2 passed", "probe n3 passed"],
  );
  const { rowsDone, rowsTotal } = last.migration?.progress?.value ?? {};
  assert.deepEqual([last.migration?.state, rowsDone, rowsTotal], ["done", 1000, 1000]);
  const kinds = last.traffic.marks.filter(({ node }) => node === "n2").map(({ kind }) => kind);
  assert.deepEqual(kinds, ["out", "back"]);
});

test("timeline: a rollout that nobody is at says so, and what it was doing", () => {
  const view = timelineOf(entries.slice(0, 6)).viewAt(at(4000), { held: false });
  assert.deepEqual([view.state, view.now.doing, view.now.waits], ["stopped", "Stopped: nobody is at it", true]);
  assert.match(view.now.next ?? "", /Run it again/);
});
