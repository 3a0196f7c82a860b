// What is told of rollouts afterwards: from both copies, with the first entry that was tampered with, and figures that add up.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Journal } from "./journal.ts";
import { journalFolder } from "./journal-disk.ts";
import type { NewEvent } from "./journal-event.ts";
import { readHistory, reportOf, stateOf } from "./rollout-history.ts";
import { MemoryJournalStore } from "./testing/memory-journal-store.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-history-"));
after(() => rmSync(root, { recursive: true }));

const told: readonly NewEvent[] = [
  { kind: "decision", phase: "backup", text: "back-up", data: { do: "back-up" } },
  { kind: "result", phase: "backup", text: "backup proven", data: { do: "back-up", ok: true } },
  { kind: "decision", phase: "nodes", node: "n1", text: "drain n1", data: { do: "drain" } },
  { kind: "result", phase: "nodes", node: "n1", text: "no answer", data: { do: "drain", ok: false } },
  { kind: "decision", phase: "nodes", text: "pause: no answer", data: { do: "pause" } },
  { kind: "result", phase: "nodes", node: "n1", text: "started", data: { do: "start", ok: true } },
  { kind: "result", phase: "nodes", node: "n1", text: "in rotation", data: { do: "enable", ok: true } },
  { kind: "decision", phase: "done", text: "done", data: { do: "finish" } },
];

async function write(folder: string, store: MemoryJournalStore, events: readonly NewEvent[]): Promise<Journal> {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const clock = { nowMs: () => (nowMs += 10_000), monotonicMs: () => nowMs, sleep: async () => undefined };
  const onEvent = () => undefined;
  const journal = await Journal.open({
    disk: journalFolder(folder),
    fleet: "glance",
    target: "ocata",
    clock,
    onEvent,
    store,
  });
  for (const event of events) await journal.append(event);
  await journal.close();
  return journal;
}

test("the report adds up: phases, nodes, failures, pauses, the backup", async () => {
  const { events } = await write(join(root, "report"), new MemoryJournalStore(), told);
  const report = reportOf(events);
  assert.equal(report.seconds, 70);
  assert.deepEqual(report.phases, [
    { phase: "backup", seconds: 20 },
    { phase: "nodes", seconds: 50 },
    { phase: "done", seconds: 0 },
  ]);
  assert.deepEqual(report.nodes, [{ node: "n1", outSeconds: 40, starts: 1, failures: 1 }]);
  assert.deepEqual(report.failures, [{ seq: 4, text: "no answer" }]);
  assert.deepEqual([report.pauses.length, report.backup, report.steps], [1, "backup proven", 4]);
});

test("history tells of both copies, and names the first entry of either that is not as it was written", async () => {
  const [folder, store] = [join(root, "both"), new MemoryJournalStore()];
  const { rolloutId } = await write(folder, store, told);
  const read = () => readHistory(folder, "glance", store);
  const [whole] = await read();
  assert.deepEqual([whole?.copies, whole?.broken], [{ database: 8, disk: 8 }, null]);
  const path = join(folder, `${rolloutId}.jsonl`);
  writeFileSync(path, readFileSync(path, "utf8").replace('"text":"pause: no answer"', '"text":"all is well"'));
  assert.deepEqual((await read())[0]?.broken, { copy: "disk", seq: 5, why: "it was changed after it was written" });
  store.away = true;
  assert.deepEqual((await read())[0]?.copies, { database: null, disk: 8 });
  rmSync(path);
  store.away = false;
  assert.deepEqual((await read())[0]?.copies, { database: 8, disk: null });
  assert.deepEqual(await readHistory(folder, "another", store), []);
});

test("a rollout's state is read off its last decision and whether somebody is at it", async () => {
  const { events } = await write(join(root, "state"), new MemoryJournalStore(), told);
  assert.equal(stateOf(events, true), "finished");
  assert.equal(stateOf(events.slice(0, 7), false), "paused");
  assert.equal(stateOf(events.slice(0, 7), true), "running");
  assert.equal(stateOf(events.slice(0, 2), false), "stopped");
});
