import assert from "node:assert/strict";
import { test } from "node:test";
import type { TransferView } from "../core/transfers.ts";
import { addCounts, LatencyHistogram, percentileMs } from "./latency-histogram.ts";
import { RequestSpeed } from "./request-speed.ts";
import { noTransfers, summarizeTransfers } from "./transfer-summary.ts";

const transfer = (changes: Partial<TransferView>): TransferView => ({
  kind: "upload",
  imageId: "i",
  startedMs: 0,
  bytesDone: 0,
  bytesTotal: null,
  ...changes,
});

test("transfers: the slowest one decides when the node is through", () => {
  const views = [
    transfer({ bytesDone: 1_000, bytesTotal: 2_000 }),
    transfer({ kind: "download", bytesDone: 100, bytesTotal: 1_000 }),
  ];
  const summary = summarizeTransfers(views, 1_000);
  assert.deepEqual(summary, { uploads: 1, downloads: 1, bytesLeft: 1_900, etaSeconds: 9 });
});

test("transfers: what a client did not announce makes the rest unknown, not zero", () => {
  const summary = summarizeTransfers([transfer({ bytesDone: 5 }), transfer({ bytesTotal: 5, bytesDone: 5 })], 1_000);
  assert.deepEqual(summary, { uploads: 2, downloads: 0, bytesLeft: null, etaSeconds: null });
  assert.deepEqual(summarizeTransfers([], 0), noTransfers);
});

test("latency: the percentile of all workers together is within a tenth, and never too low", () => {
  const workers = [new LatencyHistogram(), new LatencyHistogram()];
  for (let request = 1; request <= 1_000; request++) workers[request % 2]?.record(request);
  const p99 = percentileMs(addCounts(workers.map((one) => one.take())), 0.99);
  assert(p99 !== null && p99 >= 990 && p99 <= 990 * 1.21, String(p99));
  assert.equal(percentileMs(addCounts(workers.map((one) => one.take())), 0.99), null, "taken counts start anew");
});

test("latency: only the last half minute counts", () => {
  const speed = new RequestSpeed();
  const slow = new LatencyHistogram();
  slow.record(5_000);
  speed.add([slow.take()], 0);
  assert((speed.p99Ms() ?? 0) >= 5_000);
  speed.add([], 30_000);
  assert.equal(speed.p99Ms(), null);
});
