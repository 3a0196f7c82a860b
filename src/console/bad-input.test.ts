// Journals that are damaged, stale, newer than this version or written by hosts whose clocks disagree: everything that can be shown is shown,
// and what is not known is said.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { MemoryJournalStore } from "../rollout/testing/memory-journal-store.ts";
import { readRollout } from "./read-rollout.ts";
import {
  began,
  beganMs,
  dated,
  fleetSample,
  nodeSample,
  nodesAt,
  rolloutId,
  timelineOf,
  wholeWay,
} from "./testing/rollout-scene.ts";
import { Timeline } from "./timeline.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-console-"));
after(() => rmSync(root, { recursive: true }));
const at = (seconds: number) => beganMs + seconds * 1000;
const entries = dated(wholeWay);
const away = async () => {
  throw new ServiceError("db.unreachable", "the database is away");
};

test("bad input: a damaged line, a torn end and a database that is away are told, and the rest is shown", async () => {
  const journals = new MemoryJournalStore();
  journals.away = true;
  const lines = entries.slice(0, 6).map((entry) => JSON.stringify(entry));
  lines[2] = "what?";
  writeFileSync(join(root, `${rolloutId}.jsonl`), `${lines.join("\n")}\n{"seq":7,"ti`);
  const found = await readRollout({ folder: root, fleet: "glance", journals, samples: away });
  assert(found);
  const view = new Timeline(found.record).viewAt(at(1000), { held: false });
  assert.equal(view.journal.total, 5);
  const told = view.notes.join("\n");
  for (const one of [/from entry 3 on: it is no entry/, /middle of a line/, /cannot be asked; this is the one on disk/])
    assert.match(told, one);
  assert.match(told, /cannot be read \(the database is away\)/);
  assert.match(told, /1 of the journal's lines cannot be read/);
  assert.equal(
    await readRollout({ folder: root, fleet: "glance", journals, samples: away }, "glance-ocata-none"),
    undefined,
  );
});

test("bad input: a copy that is behind is told, and the longer one is shown", async () => {
  const folder = join(root, "behind");
  mkdirSync(folder);
  const text = entries.map((entry) => JSON.stringify(entry));
  writeFileSync(join(folder, `${rolloutId}.jsonl`), `${text.slice(0, 4).join("\n")}\n`);
  const journals = new MemoryJournalStore();
  await journals.add(
    rolloutId,
    text.map((entry, index) => ({ seq: index + 1, hash: String(index), entry })),
  );
  const samples = async () => ({ read: async () => [] });
  const found = await readRollout({ folder, fleet: "glance", journals, samples }, rolloutId);
  assert(found);
  const view = new Timeline(found.record).viewAt(at(10_000));
  assert.deepEqual([view.journal.total, view.state], [entries.length, "finished"]);
  assert(view.notes.some((note) => note.includes(`on disk is behind by ${entries.length - 4} entries`)));
});

test("bad input: entries of a newer version are listed and change nothing that they should not", () => {
  const newer = [
    { kind: "prophecy", phase: "nodes", node: "n2", text: "it will be well", data: { do: "foresee" } },
    { kind: "decision", phase: "ascend", text: "ascend: why not", data: { do: "ascend", figures: "none" } },
    { kind: "result", phase: "ascend", text: "risen", data: { do: "ascend", ok: true } },
    {
      kind: "decision",
      phase: "nodes",
      text: "judged",
      data: { do: "judge", verdict: "passed", figures: { windowMs: "long" } },
    },
  ];
  const view = timelineOf(dated([began, ...newer])).viewAt(at(40), { held: true });
  assert.equal(view.journal.total, 5);
  assert(view.notes.some((note) => note.includes("prophecy")));
  assert.deepEqual(
    view.nodes.map(({ state }) => state.value),
    ["serving", "serving", "serving"],
  );
  assert.deepEqual([view.gates[0]?.gate, view.gates[0]?.figures], ["canary", null]);
  assert.deepEqual(
    view.phases.map(({ phase }) => phase),
    ["backup", "expand", "migrate", "nodes", "contract"],
  );
});

test("bad input: things that are no entries at all never stop it", () => {
  const things = [
    undefined,
    null,
    7,
    "seq",
    [],
    {},
    { seq: "one", time: 5, kind: {}, data: [], node: 3 },
    { time: "yesterday" },
  ];
  const view = timelineOf([...things, ...dated([began])]).viewAt(at(100), { held: true });
  assert.equal(view.journal.total, 4);
  assert.equal(view.nodes.length, 3);
  assert(view.journal.entries.every(({ atMs }) => Number.isFinite(atMs)));
  assert(view.notes.some((note) => note.includes("5 of the journal's lines cannot be read")));
});

test("bad input: clocks that are apart move nothing backwards, and it says how far they were apart", () => {
  const [first, ...others] = entries;
  const behind = others.map((entry) => ({
    ...entry,
    time: new Date(Date.parse(String(entry.time)) - 3_600_000).toISOString(),
  }));
  const timeline = timelineOf([first, ...behind], {
    samples: { fleet: [fleetSample(0), fleetSample(-3_600), fleetSample(2)], nodes: [] },
  });
  const view = timeline.viewAt(at(0));
  assert.equal(view.state, "finished");
  assert(view.journal.entries.every(({ atMs }, index, all) => index === 0 || atMs >= (all[index - 1]?.atMs ?? 0)));
  assert(view.phases.every(({ seconds }) => seconds >= 0));
  assert(
    view.notes.some((note) => /dated 3590 s before/.test(note)),
    view.notes.join(),
  );
  assert(timeline.viewAt(at(5)).traffic.points.every(({ seconds, perSecond }) => seconds > 0 && perSecond["2xx"] >= 0));
});

test("bad input: a node that never answered has no figures, and a stale journal has no state of now", () => {
  const silent = nodeSample("n9", {
    release: null,
    process: null,
    healthy: null,
    rotation: null,
    up: null,
    requests: null,
    transfers: null,
    heartbeatAgeSeconds: null,
  });
  const timeline = timelineOf(dated([began]), {
    samples: { fleet: [], nodes: [nodesAt(1, [nodeSample("n1"), silent])] },
  });
  const card = timeline.viewAt(at(2), { held: true }).nodes.find(({ name }) => name === "n9");
  assert.deepEqual([card?.state.value, card?.figures, card?.release, card?.moved], ["unknown", null, null, null]);
  const later = timeline.viewAt(at(86_400), { held: false });
  assert(later.nodes.every(({ state }) => state.stale));
  assert.equal(later.state, "stopped");
});
