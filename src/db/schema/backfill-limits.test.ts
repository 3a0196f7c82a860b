// The size of the next batch, and what an operator is told about the pace.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import { nextBatchRows } from "./backfill-limits.ts";
import type { EngineEvent, EngineRun } from "./engine-run.ts";
import { ProgressReport } from "./progress-report.ts";

const limits = { targetMs: 50, batchRowsMin: 10, batchRowsMax: 1_000 };

test("batch size: down at once, up by no more than double, within its bounds", () => {
  assert.equal(nextBatchRows(200, 100, 200, limits), 100);
  assert.equal(nextBatchRows(200, 1, 200, limits), 400);
  assert.equal(nextBatchRows(200, 40, 200, limits), 250);
  assert.equal(nextBatchRows(900, 10, 900, limits), 1_000);
  assert.equal(nextBatchRows(20, 5_000, 20, limits), 10);
  assert.equal(nextBatchRows(3, 1, 200, limits), 200, "the last batch teaches nothing");
  assert.equal(nextBatchRows(3, 1, 2_000, limits), 1_000, "a limit that was lowered holds from the next batch on");
});

test("progress: the rate is that of the last seconds, and the time to go follows from it", (t) => {
  let nowMs = 0;
  t.after(() => mock.restoreAll());
  mock.method(performance, "now", () => nowMs);
  const events: Extract<EngineEvent, { event: "progress" }>[] = [];
  const run = { on: (event: EngineEvent) => event.event === "progress" && events.push(event) } as unknown as EngineRun;
  const subject = { phase: "migrate", release: releaseOf("ocata").id, step: "fill", rowsTotal: 100_000 } as const;
  const report = new ProgressReport(run, subject);
  const at = (second: number, rows: number) => {
    nowMs = second * 1_000;
    report.tell(rows, 100);
    return events.at(-1);
  };
  for (let second = 1; second <= 30; second++) at(second, second * 1_000);
  assert.equal(events.at(-1)?.rowsPerSecond, 1_000);
  // Ten times slower from now on: after a while the old rate is forgotten.
  for (let second = 31; second <= 60; second++) at(second, 30_000 + (second - 30) * 100);
  assert.deepEqual([events.at(-1)?.rowsPerSecond, events.at(-1)?.etaSeconds], [100, 670]);
  report.end(33_000, undefined);
  assert.equal(events.at(-1)?.rowsPerSecond, 550, "the last event tells the rate of the whole");
});

test("progress: an estimated total is told as one, is dropped when it is passed, and at the end it is what was done", () => {
  const events: Extract<EngineEvent, { event: "progress" }>[] = [];
  const run = { on: (event: EngineEvent) => event.event === "progress" && events.push(event) } as unknown as EngineRun;
  const estimate = { rowsTotal: 1_000, rowsTotalEstimated: true } as const;
  const begin = () =>
    new ProgressReport(run, { phase: "migrate", release: releaseOf("ocata").id, step: "fill", ...estimate });
  const said = () => {
    const { rowsDone, rowsTotal, rowsTotalEstimated, etaSeconds } = events.at(-1) ?? assert.fail("nothing was told");
    return { rowsDone, rowsTotal, rowsTotalEstimated, hasEta: etaSeconds !== null };
  };
  begin().tell(900, 100);
  assert.deepEqual(said(), { rowsDone: 900, ...estimate, hasEta: true });
  const passed = begin();
  passed.tell(1_100, 100);
  assert.deepEqual(said(), { rowsDone: 1_100, rowsTotal: null, rowsTotalEstimated: undefined, hasEta: false });
  passed.endComplete(1_200, undefined);
  assert.deepEqual(said(), { rowsDone: 1_200, rowsTotal: 1_200, rowsTotalEstimated: undefined, hasEta: true });
});
