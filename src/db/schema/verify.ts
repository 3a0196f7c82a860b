// Proves every row before contract: each is counted against every invariant of the releases that are about to be finished.
// Reads key ranges without locks, in pieces that take about the target time.
import { ServiceError } from "../../core/errors.ts";
import type { Release } from "../../releases/catalogue.ts";
import { stepsOf } from "../releases/steps.ts";
import { defaultBackfillLimits, nextBatchRows } from "./backfill-limits.ts";
import type { EngineOptions, EngineRun } from "./engine-run.ts";
import type { LiveSchema } from "./live-schema.ts";
import { ProgressReport } from "./progress-report.ts";
import { readStanding, refuseOlderTarget } from "./revisions.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { contractHasBegun, openReleases } from "./standing-facts.ts";
import type { Invariant, RowProof } from "./step.ts";
import { estimatedTotal } from "./table-rows.ts";

export type InvariantResult = {
  readonly release: string;
  readonly name: string;
  readonly severity: Invariant["severity"];
  readonly broken: number;
  /** Keys of some rows that break it. */
  readonly examples: readonly string[];
};

export type VerifyResult = {
  readonly rows: number;
  readonly invariants: readonly InvariantResult[];
  /** No invariant that refuses contract is broken. */
  readonly sound: boolean;
};

const examplesMax = 5;

/** Changes nothing, and needs no engine lock. Throws schema.out_of_order where there is nothing to compare yet. */
export async function verify(options: EngineOptions): Promise<VerifyResult> {
  const { db, target, limits = {}, on = () => undefined, signal = new AbortController().signal } = options;
  const run: EngineRun = { db, target, limits, on, signal };
  const schema = await readLiveSchema(db);
  const standing = await readStanding(db, schema);
  refuseOlderTarget(standing, target);
  if (standing.expandLevel < target.level)
    throw new ServiceError(
      "schema.out_of_order",
      'there is nothing to compare before database expansion. Run "glance-manage db expand" first',
      { facts: { due: "expand", target: target.id } },
    );
  const results: VerifyResult[] = [];
  for (const release of openReleases(standing, target))
    if (!(await contractHasBegun(db, release, schema))) results.push(await verifyRelease(run, release, schema));
  return {
    rows: results.reduce((sum, result) => sum + result.rows, 0),
    invariants: results.flatMap((result) => result.invariants),
    sound: results.every((result) => result.sound),
  };
}

/** Counts every row of every table that the release says something about; tables that are gone have nothing to prove. */
export async function verifyRelease(run: EngineRun, release: Release, schema: LiveSchema): Promise<VerifyResult> {
  let rows = 0;
  const invariants: InvariantResult[] = [];
  for (const proof of stepsOf(release.id).verify.filter(({ table }) => schema.hasTable(table))) {
    const result = await proveRows(run, release, proof);
    rows += result.rows;
    invariants.push(...result.invariants);
  }
  return { rows, invariants, sound: invariants.every((one) => one.severity === "report" || one.broken === 0) };
}

async function proveRows(
  run: EngineRun,
  release: Release,
  { table, key, keyBefore, invariants }: RowProof,
): Promise<Pick<VerifyResult, "rows" | "invariants">> {
  const sums = invariants.map((one, index) => `SUM(CASE WHEN ${one.brokenWhere} THEN 1 ELSE 0 END) AS c${index}`);
  const broken = invariants.map(() => 0);
  const examples = invariants.map((): string[] => []);
  const step = `verify ${table}`;
  const all = await estimatedTotal(run.db, table);
  const report = new ProgressReport(run, { phase: "verify", release: release.id, step, ...all });
  let rows = 0;
  let cursor: string | number = keyBefore;
  let batchRows = 1_000;
  for (;;) {
    run.signal.throwIfAborted();
    const startMs = performance.now();
    const [range] = await run.db.query<{ last: string | number | null; n: number }>(
      `SELECT MAX(k) AS last, COUNT(*) AS n FROM (SELECT ${key} AS k FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${batchRows}) page`,
      [cursor],
    );
    const last = range?.last ?? null;
    if (last === null) break;
    const within = `FROM ${table} WHERE ${key} > ? AND ${key} <= ?`;
    const [counts = {}] = await run.db.query(`SELECT ${sums.join(", ")} ${within}`, [cursor, last]);
    for (const [index, invariant] of invariants.entries()) {
      const count = Number(counts[`c${index}`] ?? 0);
      broken[index] = (broken[index] ?? 0) + count;
      const found = examples[index] ?? [];
      if (count === 0 || found.length >= examplesMax) continue;
      const keys = await run.db.query<{ k: unknown }>(
        `SELECT ${key} AS k ${within} AND ${invariant.brokenWhere} ORDER BY ${key} LIMIT ${examplesMax - found.length}`,
        [cursor, last],
      );
      found.push(...keys.map((row) => String(row.k)));
    }
    const pageRows = Number(range?.n ?? 0);
    rows += pageRows;
    cursor = last;
    report.tell(rows, batchRows);
    const limits = { ...defaultBackfillLimits, batchRowsMax: 20_000 };
    batchRows = nextBatchRows(pageRows, performance.now() - startMs, batchRows, limits);
  }
  report.endComplete(rows, undefined);
  return {
    rows,
    invariants: invariants.map((invariant, index) => ({
      release: release.id,
      name: invariant.name,
      severity: invariant.severity,
      broken: broken[index] ?? 0,
      examples: examples[index] ?? [],
    })),
  };
}
