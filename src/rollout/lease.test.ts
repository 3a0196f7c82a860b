// The lease and the journal in real databases: one run acts at a time, wherever it is; who was replaced neither acts nor writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Database } from "../db/database.ts";
import { createRolloutJournalRepository } from "../db/repositories/rollout-journal-repository.ts";
import { createRolloutLeaseRepository, type LeaseClaim } from "../db/repositories/rollout-lease-repository.ts";
import { ensureTables } from "../db/schema/own-tables.ts";
import { rolloutTables } from "../db/schema/rollout-tables.ts";
import { testOnDatabases } from "../db/testing/databases.ts";
import { chainLine, chainStart } from "./journal-chain.ts";
import { ownClaim, RolloutLease } from "./lease.ts";

const { signal } = new AbortController();
const elsewhere = (holder: string): LeaseClaim => ({
  holder,
  process: "1 1 another host",
  told: `process 1 of ${holder}`,
});
async function prepare(db: Database): Promise<void> {
  await ensureTables(db, rolloutTables);
  for (const table of rolloutTables) await db.run(`DELETE FROM ${table.name}`);
}

testOnDatabases("lease: somebody who renews it is named and left alone", "newton", async ({ db, another }) => {
  await prepare(db);
  const other = createRolloutLeaseRepository(await another());
  const fence = await other.take(elsewhere("a"), undefined, 3_600);
  assert.equal(fence, 1);
  const waited: string[] = [];
  // Renewed whenever it is looked at.
  const clock: Clock = {
    ...systemClock,
    sleep: async () => void (await other.renew({ holder: "a", fence: 1 }, 3_600)),
  };
  await assert.rejects(
    RolloutLease.take(createRolloutLeaseRepository(db), { clock, signal, onWait: (told) => waited.push(told) }),
    {
      code: "schema.locked",
      message: /under way \(process 1 of a\)/,
    },
  );
  assert.deepEqual(waited, ["process 1 of a"]);
});

testOnDatabases(
  "lease: one that ran out is taken, and its old holder neither acts nor writes",
  "newton",
  async ({ db, another }) => {
    await prepare(db);
    const first = await RolloutLease.take(createRolloutLeaseRepository(db), {
      clock: systemClock,
      signal,
      claim: elsewhere("a"),
    });
    const otherDb = await another();
    await db.run(`UPDATE perennial_rollout_lease SET expires_at = ${db.dialect.nowSql}`);
    const second = await RolloutLease.take(createRolloutLeaseRepository(otherDb), {
      clock: systemClock,
      signal,
      claim: elsewhere("b"),
    });
    try {
      assert.equal(second.held.fence, first.held.fence + 1);
      const journal = createRolloutJournalRepository(db);
      const line = chainLine({ seq: 1, time: "t", kind: "decision", phase: "nodes", text: "x" }, chainStart("r"));
      await assert.rejects(journal.add("r", [line], first.held), {
        code: "rollout.lease_lost",
        message: /process 1 of b/,
      });
      await assert.rejects(first.confirm(), { code: "rollout.lease_lost" });
      assert(first.mayAct.aborted && first.lost.aborted);
      await first.release();
      await second.confirm();
      assert(!second.mayAct.aborted);
      await journal.add("r", [line], second.held);
      await journal.add("r", [line], second.held);
      const changed = chainLine({ seq: 1, time: "t", kind: "decision", phase: "nodes", text: "y" }, chainStart("r"));
      await assert.rejects(journal.add("r", [changed], second.held), {
        code: "rollout.journal_broken",
        message: /entry 1/,
      });
      assert.deepEqual(await journal.read("r"), [line]);
      assert.deepEqual(await journal.list(), [{ rolloutId: "r", entries: 1, first: line.entry, last: line.entry }]);
    } finally {
      await second.release();
      await first.release();
    }
  },
);

testOnDatabases(
  "lease: what was given back is free at once, and of two takers one gets it",
  "newton",
  async ({ db, another }) => {
    await prepare(db);
    const otherDb = await another();
    await (await RolloutLease.take(createRolloutLeaseRepository(db), { clock: systemClock, signal })).release();
    const found = await createRolloutLeaseRepository(db).find();
    assert(found?.expired);
    const both = await Promise.all(
      [db, otherDb].map((one, index) => createRolloutLeaseRepository(one).take(elsewhere(String(index)), found, 3_600)),
    );
    assert.deepEqual(
      both.filter((fence) => fence !== undefined),
      [found.fence + 1],
    );
  },
);

testOnDatabases("lease: that of a dead process of this host need not run out", "newton", async ({ db }) => {
  await prepare(db);
  const repository = createRolloutLeaseRepository(db);
  const claim = ownClaim();
  const [pid, , ...host] = claim.process.split(" ");
  // Our own id at another time: its process is gone, and the id was given out again.
  await repository.take({ ...claim, process: [pid, "1", ...host].join(" ") }, undefined, 3_600);
  const lease = await RolloutLease.take(createRolloutLeaseRepository(db), { clock: systemClock, signal });
  assert.equal(lease.held.fence, 2);
  await lease.release();
});

testOnDatabases(
  "lease: while the database does not answer nothing may be done, and after it everything again",
  "newton",
  async ({ db }) => {
    await prepare(db);
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const lease = await RolloutLease.take(createRolloutLeaseRepository(db), { clock, signal });
    nowMs = 60_000;
    lease.beat();
    const before = lease.mayAct;
    assert(before.aborted);
    await lease.confirm();
    assert(!lease.mayAct.aborted);
    assert(before.aborted, "what was under way was ended");
    await lease.release();
  },
);

test("the journal is made of ASCII lines that fit every database's text column", () => {
  const line = chainLine(
    { seq: 1, time: "t", kind: "decision", phase: "nodes", text: "\u{1f600}".repeat(40_000) },
    "p",
  );
  assert(Buffer.byteLength(line.entry) < 65_536);
});
