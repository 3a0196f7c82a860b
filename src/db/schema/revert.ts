// Takes an expand back, as long as its contract has not begun: nodes go back first, then triggers, columns and indexes are removed,
// newest release and last step first. What the older release cannot express is counted first, and lost only by its operator's word.
import { ServiceError } from "../../core/errors.ts";
import { type Release, releases } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { expandStepsOf, stepsOf } from "../releases/steps.ts";
import { defaultBackfillLimits } from "./backfill-limits.ts";
import { runBackfill } from "./backfill-runner.ts";
import { liveNodes } from "./contract-blockers.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import type { LiveSchema } from "./live-schema.ts";
import { indexSteps } from "./own-indexes.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, readStanding, releaseAt, type Standing, stamp } from "./revisions.ts";
import { runSteps } from "./run-steps.ts";
import { readLiveSchema, withExecutor } from "./schema-tools.ts";
import { contractHasBegun } from "./standing-facts.ts";
import { beginTakingBack, finishKilledRevert, finishTakingBack } from "./taking-back.ts";

export type RevertLoss = {
  readonly release: string;
  readonly name: string;
  readonly rows: number;
  /** Keys of some of them. */
  readonly examples: readonly string[];
};

export type RevertResult = {
  readonly outcome: "reverted" | "up_to_date";
  readonly heads: readonly string[];
  /** What was given up. */
  readonly losses: readonly RevertLoss[];
};

const examplesMax = 5;

/**
 * Back to `target`. Throws with nothing changed schema.out_of_order after contract has begun, schema.contract_refused while newer nodes are
 * alive, and schema.would_lose where rows say what the target cannot express and `acceptLosses` is not set. A newer node that registers
 * under way ends it, too, before the next release goes: what went until then is back whole.
 */
export function revert(options: EngineOptions & { acceptLosses?: boolean }): Promise<RevertResult> {
  return withEngineLock(options, async (run) => {
    const schema = await readLiveSchema(run.db);
    const standing = await readStanding(run.db, schema);
    const going = goingReleases(standing, schema, run.target);
    await refuseWayBack(run, standing, schema, going);
    const losses = await countLosses(run, schema, going);
    if (losses.length > 0 && options.acceptLosses !== true) throw wouldLose(run, losses);
    return { ...(await takeBack(run, standing, going)), losses };
  });
}

/** Whether a revert to `target` is possible still; `done` where there is nothing left to take back. Changes nothing. */
export async function wayBackTo(db: Database, target: Release): Promise<"open" | "closed" | "done"> {
  const schema = await readLiveSchema(db);
  const standing = await readStanding(db, schema);
  if (standing.contractLevel > target.level) return "closed";
  const going = goingReleases(standing, schema, target);
  for (const release of going) if (await contractHasBegun(db, release, schema)) return "closed";
  return going.length === 0 ? "done" : "open";
}

/** What a revert to `target` would take from users; changes nothing. */
export async function revertLosses(options: Pick<EngineOptions, "db" | "target">): Promise<readonly RevertLoss[]> {
  const schema = await readLiveSchema(options.db);
  const standing = await readStanding(options.db, schema);
  return countLosses(options, schema, goingReleases(standing, schema, options.target));
}

/** Newest first: those whose revisions the database shows, and those of which a killed expand left something without a revision. */
function goingReleases(standing: Standing, schema: LiveSchema, target: Release): readonly Release[] {
  return releases
    .filter((release) => {
      const { revisions, level } = release;
      if (revisions.length === 0 || level <= target.level) return false;
      const first = level - revisions.length + 1;
      return first <= standing.expandLevel || expandStepsOf(release).some((step) => !step.isReverted(schema));
    })
    .reverse();
}

async function refuseWayBack(
  run: EngineRun,
  standing: Standing,
  schema: LiveSchema,
  going: readonly Release[],
): Promise<void> {
  const past = standing.contractLevel > run.target.level ? releaseAt(standing.contractLevel) : null;
  for (const release of past ? [past] : going)
    if (past || (await contractHasBegun(run.db, release, schema)))
      throw new ServiceError(
        "schema.out_of_order",
        `the contract to ${release.id} has begun, so there is no way back: restore the backup, or go on with "glance-manage db contract"`,
        { facts: { due: "contract", target: run.target.id } },
      );
  await refuseNewerNodes(run, going);
}

async function refuseNewerNodes(run: EngineRun, going: readonly Release[]): Promise<void> {
  const newer = (await liveNodes(run.db)).filter((node) => going.some((release) => isAtLeast(node.release, release)));
  if (newer.length > 0)
    throw new ServiceError(
      "schema.contract_refused",
      `nodes newer than ${run.target.id} are alive: ${newer.map((node) => node.name).join(", ")}. Take them back first`,
      { facts: { nodes: newer.map((node) => node.name).join(", "), target: run.target.id } },
    );
}

/** A node whose release we do not know is a newer one. */
function isAtLeast(nodeRelease: string, release: Release): boolean {
  return (releases.find((one) => one.id === nodeRelease)?.level ?? Number.POSITIVE_INFINITY) >= release.level;
}

async function countLosses(
  { db }: Pick<EngineOptions, "db">,
  schema: LiveSchema,
  going: readonly Release[],
): Promise<readonly RevertLoss[]> {
  const losses: RevertLoss[] = [];
  for (const release of going) {
    const { losses: possible, columnsComing } = stepsOf(release.id);
    // A revert that was killed took some of the columns already.
    if (!columnsComing.every(([table, column]) => schema.hasColumn(table, column))) continue;
    for (const { name, table, key, where } of possible) {
      const [row] = await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`);
      const rows = Number(row?.n ?? 0);
      if (rows === 0) continue;
      const some = await db.query<{ k: unknown }>(
        `SELECT ${key} AS k FROM ${table} WHERE ${where} ORDER BY ${key} LIMIT ${examplesMax}`,
      );
      losses.push({ release: release.id, name, rows, examples: some.map((one) => String(one.k)) });
    }
  }
  return losses;
}

function wouldLose(run: EngineRun, losses: readonly RevertLoss[]): ServiceError {
  const list = losses.map((one) => `${one.rows} ${one.name} (such as ${one.examples.join(", ")})`).join("; ");
  return new ServiceError(
    "schema.would_lose",
    `nothing was changed: ${run.target.id} cannot express ${list}. Change these images first, or accept it with --accept-losses`,
    { facts: { target: run.target.id, rows: losses.reduce((sum, one) => sum + one.rows, 0) } },
  );
}

/**
 * A release's revision goes before anything of it does: killed in between, contract finds expand due and not a release that is only
 * half there, and newer nodes do not start on what is going.
 */
async function takeBack(
  run: EngineRun,
  standing: Standing,
  going: readonly Release[],
): Promise<Omit<RevertResult, "losses">> {
  const progress = await DatabaseProgress.open(run.db);
  return withExecutor(run.db, run.limits, async (executor) => {
    let { heads } = standing;
    await finishKilledRevert(run, executor, progress, standing.expandLevel);
    const expandLevel = Math.max(standing.contractLevel, run.target.level);
    for (const release of going) {
      for (const { undo } of stepsOf(release.id).migrate) {
        if (undo) await runBackfill(run, release.id, undo, progress, defaultBackfillLimits);
        if (undo) await progress.remove(undo.name);
      }
      heads = await lower(run, standing, release, going);
      await beginTakingBack(progress, release);
      await finishTakingBack(run, executor, progress, release);
    }
    await runSteps(
      run,
      executor,
      "indexes",
      run.target.id,
      indexSteps(await executor.introspect(), { ...standing, expandLevel }),
    );
    return { outcome: going.length > 0 ? "reverted" : "up_to_date", heads };
  });
}

/**
 * Nodes register before they look whether they may start: so either they see the lower revision, or we see them. Not so one that is reloaded
 * to a newer release: it shows its older one for as long as a process of that is left. Returns the heads.
 */
async function lower(
  run: EngineRun,
  standing: Standing,
  release: Release,
  going: readonly Release[],
): Promise<readonly string[]> {
  const { contractLevel, expandLevel } = standing;
  const headsAt = (level: number) => headsFor(contractLevel, Math.min(level, expandLevel));
  const heads = headsAt(release.level - release.revisions.length);
  await stamp(run.db, heads);
  try {
    await refuseNewerNodes(run, going);
  } catch (error) {
    await stamp(run.db, headsAt(release.level));
    throw error;
  }
  return heads;
}
