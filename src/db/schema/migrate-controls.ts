// What an operator tells a data migration while it runs, from whichever host: a row of perennial_progress that the running one reads
// about once a second. Pausing outlives the run that was paused; changed limits end with it.
import { ServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import type { BackfillLimits } from "./backfill-limits.ts";
import { DatabaseProgress } from "./progress-store.ts";
import type { ProgressStore } from "./step.ts";

export const adjustable = [
  "targetMs",
  "batchRowsMax",
  "threadsRunningMax",
  "replicaLagSecondsMax",
  "p99MsMax",
] as const satisfies readonly (keyof BackfillLimits)[];
export type AdjustableLimits = Partial<Pick<BackfillLimits, (typeof adjustable)[number]>>;

export type MigrateControls = { readonly paused: boolean; readonly limits: AdjustableLimits };

const rowName = "migrate: controls";
const none: MigrateControls = { paused: false, limits: {} };

/** Without a row nothing was said. Throws schema.newer_progress where a newer version of this package wrote it. */
export async function readControls(progress: Pick<ProgressStore, "find">): Promise<MigrateControls> {
  const row = await progress.find(rowName);
  return row?.cursor ? parseControls(row.cursor) : none;
}

/** Tells a running data migration, or the next one. Needs no engine lock. Returns what stands afterwards. */
export async function controlMigration(
  db: Database,
  change: { readonly paused?: boolean; readonly limits?: AdjustableLimits },
): Promise<MigrateControls> {
  const progress = await DatabaseProgress.open(db);
  const before = await readControls(progress);
  const after = { paused: change.paused ?? before.paused, limits: { ...before.limits, ...change.limits } };
  await writeControls(progress, after);
  return after;
}

/** A new run starts with the limits of its own command line; a pause stays until somebody ends it. */
export async function forgetLimits(progress: ProgressStore): Promise<void> {
  const { paused, limits } = await readControls(progress);
  if (Object.keys(limits).length > 0) await writeControls(progress, { paused, limits: {} });
}

async function writeControls(progress: ProgressStore, controls: MigrateControls): Promise<void> {
  if (!controls.paused && Object.keys(controls.limits).length === 0) return progress.remove(rowName);
  await progress.save(rowName, { cursor: JSON.stringify(controls), rowsDone: 0, finished: false });
}

/** Only what we know, and only numbers: a person may have edited the row. */
function parseControls(text: string): MigrateControls {
  let given: { paused?: unknown; limits?: Readonly<Record<string, unknown>> };
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw new ServiceError(
      "db.wrong_schema",
      `perennial_progress has an unreadable row "${rowName}": delete it, and run the same command again`,
      { facts: { table: "perennial_progress" }, cause },
    );
  }
  const known = adjustable.flatMap((name) => {
    const value = given.limits?.[name];
    return typeof value === "number" && value > 0 ? [[name, value] as const] : [];
  });
  return { paused: given.paused === true, limits: Object.fromEntries(known) };
}
