// The node's 99th percentile over the last half minute, from what its workers report at each heartbeat.
import { addCounts, type LatencyCounts, percentileMs } from "./latency-histogram.ts";

const windowMs = 30_000;

export class RequestSpeed {
  #recent: { readonly counts: LatencyCounts; readonly atMs: number }[] = [];

  /** `nowMs`: any clock that does not go back. */
  add(counts: readonly LatencyCounts[], nowMs: number): void {
    this.#recent = this.#recent.filter((one) => nowMs - one.atMs < windowMs);
    if (counts.length > 0) this.#recent.push({ counts: addCounts(counts), atMs: nowMs });
  }

  /** null where nothing was asked of the node. */
  p99Ms(): number | null {
    return percentileMs(addCounts(this.#recent.map((one) => one.counts)), 0.99);
  }
}
