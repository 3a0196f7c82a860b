// The journal followed from outside: all of it comes once and in order, whichever copy it is read from, and what is damaged is told.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ChainedLine } from "./journal-chain.ts";
import { JournalTail, type TailRead } from "./journal-tail.ts";
import { chainedLines } from "./testing/chained-lines.ts";
import { MemoryJournalStore } from "./testing/memory-journal-store.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-tail-"));
after(() => rmSync(root, { recursive: true }));
const rollout = "glance-ocata-20260101T000000Z";

test("tail: entries come once, from the database, and from disk while that is away", async () => {
  const { store, write, tail } = scene();
  const lines = chainedLines(rollout, 5);
  await store.add(rollout, lines.slice(0, 2));
  assert.deepEqual(told(await tail.read()), { isNew: true, texts: ["entry 1", "entry 2"], notes: [] });
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: [], notes: [] });
  await store.add(rollout, lines.slice(2, 3));
  assert.deepEqual(told(await tail.read()).texts, ["entry 3"]);
  store.away = true;
  write(lines.slice(0, 4));
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: ["entry 4"], notes: [] });
  store.away = false;
  await store.add(rollout, lines.slice(3));
  assert.deepEqual(told(await tail.read()).texts, ["entry 5"]);
});

test("tail: a copy that is behind takes nothing away, neither the database's nor the one on disk", async () => {
  const { store, write, tail } = scene();
  const lines = chainedLines(rollout, 4);
  write(lines.slice(0, 3));
  await store.add(rollout, lines.slice(0, 1));
  // The database's is the one that counts where both can be read.
  assert.deepEqual(told(await tail.read()).texts, ["entry 1"]);
  store.away = true;
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: ["entry 2", "entry 3"], notes: [] });
  store.away = false;
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: [], notes: [] });
  await store.add(rollout, lines);
  assert.deepEqual(told(await tail.read()).texts, ["entry 4"]);
});

test("tail: a line that was cut short is not read before it is whole", async () => {
  const { store, file, write, tail } = scene();
  store.away = true;
  const [first, second] = chainedLines(rollout, 2).map(({ entry }) => entry);
  write(chainedLines(rollout, 1));
  appendFileSync(file, (second ?? "").slice(0, 20));
  assert.deepEqual(told(await tail.read()).texts, ["entry 1"]);
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: [], notes: [] });
  writeFileSync(file, `${first}\n${second}\n`);
  assert.deepEqual(told(await tail.read()).texts, ["entry 2"]);
});

test("tail: damaged lines are told and left out, also those that come while it follows", async () => {
  const { store, file, write, tail } = scene();
  const lines = chainedLines(rollout, 4);
  // The database can be asked and knows nothing of it.
  write(lines.slice(0, 2));
  assert.deepEqual(told(await tail.read()), { isNew: true, texts: ["entry 1", "entry 2"], notes: [] });
  store.away = true;
  appendFileSync(file, `what?\n${lines[3]?.entry}\n`);
  const damaged = told(await tail.read());
  assert.deepEqual([damaged.isNew, damaged.texts], [false, ["entry 4"]]);
  assert.match(damaged.notes[0] ?? "", /not as it was written from entry 3 on: it is no entry/);
  assert.deepEqual(told(await tail.read()).notes, damaged.notes, "it is told for as long as it is so");
  const again = told(
    await new JournalTail({ name: "glance", target: "ocata", journal: join(file, "..") }, store).read(),
  );
  assert.deepEqual(again, { isNew: true, texts: ["entry 1", "entry 2", "entry 4"], notes: damaged.notes });
});

test("tail: another past of the same rollout is told as a whole", async () => {
  const { store, write, tail } = scene();
  store.away = true;
  write(chainedLines(rollout, 3));
  await tail.read();
  write(chainedLines(rollout, 3, "other"));
  assert.deepEqual(told(await tail.read()), { isNew: true, texts: ["other 1", "other 2", "other 3"], notes: [] });
});

test("tail: rollouts of other fleets and to other targets are not its own", async () => {
  const { store, tail } = scene();
  for (const id of ["other-ocata-20260101T000000Z", "glance-pike-20260102T000000Z"])
    await store.add(id, chainedLines(id, 1, "foreign"));
  assert.deepEqual(told(await tail.read()), { isNew: false, texts: [], notes: [] });
  await store.add(rollout, chainedLines(rollout, 1));
  const fresh = new JournalTail({ name: "glance", target: "ocata", journal: root }, store);
  assert.equal((await fresh.read()).rollout, rollout);
});

function scene() {
  const folder = mkdtempSync(join(root, "journal-"));
  const file = join(folder, `${rollout}.jsonl`);
  const store = new MemoryJournalStore();
  const write = (lines: readonly ChainedLine[]) => writeFileSync(file, lines.map(({ entry }) => `${entry}\n`).join(""));
  return { store, file, write, tail: new JournalTail({ name: "glance", target: "ocata", journal: folder }, store) };
}

function told({ isNew, entries, notes }: TailRead) {
  return { isNew, texts: entries.map(({ text }) => text), notes };
}
