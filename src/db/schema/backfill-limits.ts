// The limits of a data migration: what its operator may set, and how large the next batch is to be.
export type BackfillLimits = {
  /** What one batch's transaction should take. */
  readonly targetMs: number;
  readonly batchRowsMin: number;
  readonly batchRowsMax: number;
  /** Where the size starts from. */
  readonly batchRows: number;
  /** Stop after this many rows, or this long; running again goes on. */
  readonly rowsMax: number;
  readonly secondsMax: number;
  /** While the server runs more statements than this at once, the migration is held back. */
  readonly threadsRunningMax: number;
  /** While a replica is further behind than this. */
  readonly replicaLagSecondsMax: number;
  /** While a node's requests take longer than this, at the 99th percentile of its last report. */
  readonly p99MsMax: number;
};

export const defaultBackfillLimits: BackfillLimits = {
  targetMs: 50,
  batchRowsMin: 10,
  batchRowsMax: 5_000,
  batchRows: 200,
  rowsMax: Number.POSITIVE_INFINITY,
  secondsMax: Number.POSITIVE_INFINITY,
  threadsRunningMax: 24,
  replicaLagSecondsMax: 10,
  // What is slow differs from cloud to cloud, so there is none until its operator says one.
  p99MsMax: Number.POSITIVE_INFINITY,
};

/** Never more than double at a time, and at once down where a batch took too long. A batch cut short by the end teaches nothing. */
export function nextBatchRows(
  rowsDone: number,
  tookMs: number,
  batchRows: number,
  limits: Pick<BackfillLimits, "targetMs" | "batchRowsMin" | "batchRowsMax">,
): number {
  if (rowsDone < batchRows && tookMs <= limits.targetMs) return Math.min(batchRows, limits.batchRowsMax);
  const ideal = (rowsDone * limits.targetMs) / Math.max(tookMs, 1);
  return Math.round(Math.min(Math.max(ideal, limits.batchRowsMin), batchRows * 2, limits.batchRowsMax));
}
