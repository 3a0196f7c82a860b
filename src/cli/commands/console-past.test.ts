// Past rollouts as a console opens them: whatever of a journal can be read is there, and what is wrong with it is said.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { systemClock } from "../../core/clock.ts";
import { createRolloutJournalRepository } from "../../db/repositories/rollout-journal-repository.ts";
import { createRolloutLeaseRepository } from "../../db/repositories/rollout-lease-repository.ts";
import type { ChainedLine } from "../../rollout/journal-chain.ts";
import { RolloutLease } from "../../rollout/lease.ts";
import { chainedLines } from "../../rollout/testing/chained-lines.ts";
import { smallFleet } from "../testing/small-fleet.ts";
import { pastRollouts } from "./console-past.ts";
import { databaseOf } from "./rollout-parts.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-past-"));
after(() => rmSync(root, { recursive: true }));
const rollout = "glance-ocata-20260101T000000Z";
const lines = chainedLines(rollout, 3);

test("past: a journal with a damaged line on disk alone opens with all the others, and says so", async (t) => {
  const { past, write } = await scene(t);
  const texts = lines.map(({ entry }) => entry);
  texts[1] = "what?";
  write(`${texts.join("\n")}\n{"seq":4,"ti`);
  const [listed] = await past.list();
  assert.deepEqual([listed?.rollout, listed?.entries, listed?.broken?.seq], [rollout, 2, 2]);
  const opened = await past.find(rollout);
  assert.deepEqual(
    opened?.lines.map((line) => (line as { text?: string } | undefined)?.text),
    ["entry 1", undefined, "entry 3"],
  );
  const told = opened?.notes.join("\n") ?? "";
  assert.match(told, /from entry 2 on: it is no entry/);
  assert.match(told, /ends in the middle of a line/);
});

test("past: the longer copy is opened, and it says which is behind; other fleets' rollouts are not found", async (t) => {
  const { past, write, store } = await scene(t);
  write(`${lines[0]?.entry}\n`);
  await store(lines);
  const opened = await past.find(rollout);
  assert.equal(opened?.lines.length, 3);
  assert.match(opened.notes.join("\n"), /on disk is behind by 2 entries/);
  assert.equal(await past.find("other-ocata-20260101T000000Z"), undefined);
  assert.equal(await past.find("../../etc/passwd"), undefined);
});

async function scene(t: TestContext) {
  const { fleet, db } = await smallFleet(root);
  const database = databaseOf(fleet);
  t.after(async () => {
    await database.close();
    await db.close();
  });
  const write = (text: string) => {
    mkdirSync(fleet.journal, { recursive: true });
    writeFileSync(join(fleet.journal, `${rollout}.jsonl`), text);
  };
  const store = async (added: readonly ChainedLine[]) => {
    const signal = new AbortController().signal;
    const lease = await RolloutLease.take(createRolloutLeaseRepository(db), { clock: systemClock, signal });
    await createRolloutJournalRepository(db).add(rollout, added, lease.held);
    await lease.release();
  };
  return { past: pastRollouts(fleet, database), write, store };
}
