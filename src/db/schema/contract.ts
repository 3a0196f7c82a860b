// The last phase, the finalize act: what only older releases used is removed. Everything that speaks against it is found before
// anything is touched; after its first step there is no way back, and running it again goes on.
import { ServiceError } from "../../core/errors.ts";
import type { Release } from "../../releases/catalogue.ts";
import { expandStepsOf, stepsOf } from "../releases/steps.ts";
import { glanceText, olderGlances, unknownConnections } from "./contract-blockers.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import type { LiveSchema } from "./live-schema.ts";
import { hasPendingData, requireExpanded } from "./migrate.ts";
import { OlderNodes } from "./older-nodes.ts";
import { indexRemovals, indexSteps } from "./own-indexes.ts";
import { preflight } from "./preflight.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, levelsOf, readStanding, refuseOlderTarget, type Standing, stamp } from "./revisions.ts";
import { forward, runSteps } from "./run-steps.ts";
import { readLiveSchema, withExecutor } from "./schema-tools.ts";
import {
  contractAnnounced,
  contractBegun,
  contractHasBegun,
  contractProgressName,
  openReleases,
} from "./standing-facts.ts";
import type { ProgressStore } from "./step.ts";
import { verifyRelease } from "./verify.ts";

export type ContractResult = {
  readonly outcome: "contracted" | "finished";
  readonly heads: readonly string[];
  readonly rowsVerified: number;
};

/**
 * Contracts to the target release. Throws, with nothing changed: schema.out_of_order (expand or migrate due, or the database is past the
 * target), schema.contract_refused (an older node is alive, or verify found rows that would lose something), schema.preflight_failed;
 * and schema.blocked under way.
 */
export function contract(options: EngineOptions): Promise<ContractResult> {
  return withEngineLock(options, async (run) => {
    await preflight(run, "contract");
    return contractUnderLock(run);
  });
}

export async function contractUnderLock(run: EngineRun): Promise<ContractResult> {
  const standing = await readStanding(run.db, await readLiveSchema(run.db));
  refuseOlderTarget(standing, run.target);
  if (standing.contractLevel >= run.target.level)
    return { outcome: "finished", heads: standing.heads, rowsVerified: 0 };
  requireExpanded(run, standing, "Database contraction did not run. Database contraction");
  const open = openReleases(standing, run.target);
  const rowsVerified = await makeSure(run, standing, open);
  const heads = await contractReleases(run, standing, open);
  return { outcome: "contracted", heads, rowsVerified };
}

/**
 * Everything that speaks against the contract of any of these releases. Where the steps of one have begun, only older nodes still can.
 * Returns rows verified. After it, the contract of all of them has begun.
 */
async function makeSure(run: EngineRun, standing: Standing, open: readonly Release[]): Promise<number> {
  const progress = await DatabaseProgress.open(run.db);
  const schema = await readLiveSchema(run.db);
  const olderNodes = new OlderNodes(run);
  const untouched: Release[] = [];
  for (const release of open) if (!(await contractHasBegun(run.db, release, schema))) untouched.push(release);
  let rows = 0;
  if (untouched.length > 0) {
    requireSteps(run, untouched, schema);
    if (await hasPendingData(run, standing))
      throw new ServiceError(
        "schema.out_of_order",
        "Database contraction did not run. Database contraction cannot be run before data migration is complete. " +
          'Run data migration using "glance-manage db migrate".',
        { facts: { due: "migrate", target: run.target.id } },
      );
    await refuseOlderNodes(run, olderNodes);
    for (const release of untouched) {
      const result = await verifyRelease(run, release, schema);
      refuseUnsoundRows(run, result);
      rows += result.rows;
    }
  }
  // Nodes register before they look whether they may start, and look for these rows: so either we see them, or they see us.
  await mark(progress, untouched, contractAnnounced);
  try {
    await refuseOlderNodes(run, olderNodes);
  } catch (error) {
    for (const release of untouched) await progress.remove(contractProgressName(release));
    throw error;
  }
  for (const text of await unknownConnections(run.db)) run.on({ event: "warning", text });
  await mark(progress, open, contractBegun);
  return rows;
}

/** The revision says that they are expanded; what is missing all the same would never come once they are contracted. */
function requireSteps(run: EngineRun, untouched: readonly Release[], schema: LiveSchema): void {
  const missing = untouched.flatMap(expandStepsOf).find((step) => !step.mixedFleetOnly && !step.isApplied(schema));
  if (missing)
    throw new ServiceError(
      "schema.out_of_order",
      `Database contraction did not run. Of the expansion "${missing.name}" is missing. Run "glance-manage db expand" once more`,
      { facts: { due: "expand", target: run.target.id } },
    );
}

async function mark(progress: ProgressStore, releases: readonly Release[], cursor: string): Promise<void> {
  for (const release of releases)
    await progress.save(contractProgressName(release), { cursor, rowsDone: 0, finished: false });
}

async function refuseOlderNodes(run: EngineRun, olderNodes: OlderNodes): Promise<void> {
  const { target, on, signal } = run;
  const older = await olderNodes.living((text) => on({ event: "warning", text }), signal);
  await refuseGlance(run);
  if (older.length === 0) return;
  const list = older
    .map((node) => `${node.name} (${node.release}, ${node.state}, seen ${node.secondsAgo} s ago)`)
    .join(", ");
  throw new ServiceError(
    "schema.contract_refused",
    `Database contraction did not run. Nodes older than ${target.id} are alive: ${list}. Upgrade or stop them first`,
    { facts: { nodes: older.map((node) => node.name).join(", "), target: target.id } },
  );
}

/** Those a rollout has seen, and none has seen gone. */
async function refuseGlance({ db, target }: EngineRun): Promise<void> {
  const living = await olderGlances(db, target);
  if (living.length === 0) return;
  const list = living.map(glanceText).join(", ");
  throw new ServiceError(
    "schema.contract_refused",
    `Database contraction did not run. Nodes of Glance may be alive: ${list}. Stop them or take them over: a run of glance-rollout that sees them gone takes them off this list`,
    { facts: { nodes: living.map((node) => node.name).join(", "), target: target.id } },
  );
}

function refuseUnsoundRows(run: EngineRun, { invariants }: Awaited<ReturnType<typeof verifyRelease>>): void {
  const broken = invariants.filter((one) => one.severity === "refuse" && one.broken > 0);
  if (broken.length > 0) {
    const list = broken.map((one) => `${one.broken} ${one.name} (such as ${one.examples.join(", ")})`).join("; ");
    throw new ServiceError(
      "schema.contract_refused",
      `Database contraction did not run. It would lose something: ${list}. Put these rows right, then see "glance-manage db verify"`,
      { facts: { rows: broken.reduce((sum, one) => sum + one.broken, 0), target: run.target.id } },
    );
  }
  for (const one of invariants)
    if (one.broken > 0)
      run.on({ event: "warning", text: `${one.broken} ${one.name} (such as ${one.examples.join(", ")})` });
}

/** Oldest first; each revision is noted as soon as its steps are done. */
async function contractReleases(
  run: EngineRun,
  standing: Standing,
  open: readonly Release[],
): Promise<readonly string[]> {
  const progress = await DatabaseProgress.open(run.db);
  return withExecutor(run.db, run.limits, async (executor) => {
    let { heads } = standing;
    for (const release of open) {
      const { contract: steps, columnsLeaving } = stepsOf(release.id);
      if (columnsLeaving.length > 0) {
        const schema = await executor.introspect();
        const ours = columnsLeaving.flatMap(([table, column]) => indexRemovals(schema, table, column));
        await runSteps(run, executor, "contract", release.id, ours);
      }
      for (const { contract: revision, level } of levelsOf(release)) {
        run.signal.throwIfAborted();
        const walks = (steps[revision] ?? []).map(forward);
        if (walks.length > 0) await runSteps(run, executor, "contract", release.id, walks);
        heads = headsFor(level, Math.max(standing.expandLevel, level));
        await stamp(run.db, heads);
      }
      await progress.save(contractProgressName(release), { cursor: contractBegun, rowsDone: 0, finished: true });
    }
    const { level } = run.target;
    const levels = { contractLevel: level, expandLevel: Math.max(standing.expandLevel, level) };
    await runSteps(run, executor, "indexes", run.target.id, indexSteps(await executor.introspect(), levels));
    return heads;
  });
}
