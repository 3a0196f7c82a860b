// What the phases up to a release would do here, and what each step costs on this server; changes nothing.
import { oldestRelease, type Release, type ReleaseId } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { contractStepsOf, expandStepsOf, stepsOf } from "../releases/steps.ts";
import { type Cost, dearness } from "./cost.ts";
import { estimate, type Seconds } from "./estimate.ts";
import type { LiveSchema } from "./live-schema.ts";
import { indexSteps } from "./own-indexes.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { readStanding, refuseOlderTarget } from "./revisions.ts";
import { readLiveSchema, readPricer } from "./schema-tools.ts";
import { openReleases } from "./standing-facts.ts";
import type { Change, Changes, PhaseName } from "./step.ts";
import { readTableRows } from "./table-rows.ts";

export type PlannedStep = {
  readonly phase: "create" | PhaseName | "indexes";
  readonly release: ReleaseId;
  readonly step: string;
  /** `rows`: batches of short transactions. */
  readonly cost: Cost | "rows";
  /** Statements, as far as they can be told beforehand. */
  readonly statements: readonly string[];
  readonly applied: boolean;
  /** Data migrations whose columns exist: rows waiting; null where that cannot be known yet. */
  readonly rows: number | null;
  /** About how many rows the largest table has that it works on; null for a table that is yet to come. */
  readonly tableRows: number | null;
  /** How long it may take, others' transactions left out; null where nothing can be said. */
  readonly seconds: Seconds | null;
};

/** Every step up to the target, in order. Throws schema.unknown_revision. */
export async function planPhases(db: Database, target: Release): Promise<readonly PlannedStep[]> {
  const schema = await readLiveSchema(db);
  const standing = await readStanding(db, schema);
  refuseOlderTarget(standing, target);
  const price = await readPricer(db);
  const counts = await readTableRows(db);
  const plan: PlannedStep[] = [];
  const add = (phase: PlannedStep["phase"], release: Release, step: Priced, applied: boolean) => {
    const changes = step.changes[db.dialect.name](schema);
    const costs = changes.map(price);
    const cost = dearness.findLast((one) => costs.includes(one)) ?? "instant";
    const sizes = changes.flatMap(({ table }) => counts.get(table) ?? []);
    const tableRows = sizes.length > 0 ? Math.max(...sizes) : null;
    plan.push({
      phase,
      release: release.id,
      step: step.name,
      cost,
      statements: changes.map(textOf),
      applied,
      rows: null,
      tableRows,
      // What is not there yet has no rows either.
      seconds: applied ? null : estimate(cost, tableRows ?? 0),
    });
  };
  if (standing.contractLevel < 0)
    for (const step of stepsOf(oldestRelease.id).create) add("create", oldestRelease, step, step.isApplied(schema));
  const open = openReleases(standing, target);
  for (const release of open)
    for (const step of expandStepsOf(release)) add("expand", release, step, step.isApplied(schema));
  for (const release of open)
    plan.push(...(await planData(db, release, standing.expandLevel >= release.level, counts)));
  for (const release of open)
    for (const step of contractStepsOf(release)) add("contract", release, step, appliedContract(step, schema, release));
  const coming = open.flatMap((release) => stepsOf(release.id).columnsComing);
  for (const step of indexSteps(
    schema,
    { ...standing, expandLevel: Math.max(standing.expandLevel, target.level) },
    { coming },
  ))
    add("indexes", target, step, false);
  return plan;
}

type Priced = { readonly name: string; readonly changes: Changes };

/** Before expand a contract step may look applied, because what it removes or requires is not there yet. */
function appliedContract(
  step: { isApplied(schema: LiveSchema): boolean },
  schema: LiveSchema,
  release: Release,
): boolean {
  return (expandStepsOf(release).length === 0 || stepsOf(release.id).showsContract(schema)) && step.isApplied(schema);
}

async function planData(
  db: Database,
  release: Release,
  expanded: boolean,
  counts: ReadonlyMap<string, number>,
): Promise<readonly PlannedStep[]> {
  const progress = await DatabaseProgress.reader(db);
  const planned: PlannedStep[] = [];
  for (const backfill of stepsOf(release.id).migrate) {
    const rows = expanded ? await backfill.pending(db, Number.MAX_SAFE_INTEGER, progress) : null;
    const about = { phase: "migrate", release: release.id, step: backfill.name, cost: "rows", statements: [] } as const;
    const tableRows = counts.get(backfill.table) ?? null;
    const seconds = rows === 0 ? null : estimate("rows", rows ?? tableRows);
    planned.push({ ...about, applied: rows === 0, rows, tableRows, seconds });
  }
  return planned;
}

function textOf(change: Change): string {
  if (change.do === "alter") return `ALTER TABLE ${change.table} ${change.clause}`;
  if (change.do === "build_index")
    return `CREATE INDEX CONCURRENTLY ${change.name} ON ${change.table} (${change.columns.join(", ")})`;
  if (change.do === "drop_index") return `DROP INDEX CONCURRENTLY ${change.name}`;
  if (change.do === "require") return `make ${change.table}.${change.column} ${change.definition}`;
  return change.do === "statement" ? change.sql.replace(/\s+/g, " ") : `rebuild table ${change.table}`;
}
