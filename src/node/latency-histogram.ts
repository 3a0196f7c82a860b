// Response times of one process in buckets that grow by a tenth, small enough to send to the supervisor with every report,
// which adds up all workers' and reads the node's 99th percentile off.

const bucketCount = 128;
const growth = 1.1;
/** The lower edge of the first bucket; the last one begins at about 18 seconds. */
const firstMs = 0.1;

export type LatencyCounts = readonly number[];

export class LatencyHistogram {
  #counts = new Array<number>(bucketCount).fill(0);

  record(ms: number): void {
    const index = Math.floor(Math.log(Math.max(ms, firstMs) / firstMs) / Math.log(growth));
    const bucket = Math.min(index, bucketCount - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** What was recorded since the last take. */
  take(): LatencyCounts {
    const counts = this.#counts;
    this.#counts = new Array<number>(bucketCount).fill(0);
    return counts;
  }
}

export function addCounts(all: readonly LatencyCounts[]): LatencyCounts {
  const sum = new Array<number>(bucketCount).fill(0);
  for (const counts of all) for (const [index, count] of counts.entries()) sum[index] = (sum[index] ?? 0) + count;
  return sum;
}

/** The upper edge of the bucket that holds the percentile, in ms; null where nothing was recorded. `fraction`: 0.99 for p99. */
export function percentileMs(counts: LatencyCounts, fraction: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let seen = 0;
  const index = counts.findIndex((count) => {
    seen += count;
    return seen >= total * fraction;
  });
  return firstMs * growth ** (index + 1);
}
