// The last phase, the finalize act: what only older releases used is removed. Everything that speaks against it is found before
// anything is touched; after its first step there is no way back, and running it again goes on.
import { ServiceError } from "../../core/errors.ts";
import type { Release } from "../../releases/catalogue.ts";
import { stepsOf } from "../releases/steps.ts";
import { olderNodes, unknownConnections } from "./contract-blockers.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import { hasPendingData, requireExpanded } from "./migrate.ts";
import { indexRemovals, indexSteps } from "./own-indexes.ts";
import { preflight } from "./preflight.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, readStanding, stamp } from "./revisions.ts";
import { forward, runSteps } from "./run-steps.ts";
import { readLiveSchema, withExecutor } from "./schema-tools.ts";
import {
  contractAnnounced,
  contractBegun,
  contractHasBegun,
  contractProgressName,
  openReleases,
} from "./standing-facts.ts";
import { verifyRelease } from "./verify.ts";

export type ContractResult = {
  readonly outcome: "contracted" | "finished";
  readonly heads: readonly string[];
  readonly rowsVerified: number;
};

/**
 * Contracts to the target release. Throws, with nothing changed: schema.out_of_order (expand or migrate due), schema.contract_refused
 * (an older node is alive, or verify found rows that would lose something), schema.preflight_failed; and schema.blocked under way.
 */
export function contract(options: EngineOptions): Promise<ContractResult> {
  return withEngineLock(options, async (run) => {
    await preflight(run, "contract");
    return contractUnderLock(run);
  });
}

export async function contractUnderLock(run: EngineRun): Promise<ContractResult> {
  const standing = await readStanding(run.db, await readLiveSchema(run.db));
  if ((standing.contracted?.order ?? -1) >= run.target.order)
    return { outcome: "finished", heads: standing.heads, rowsVerified: 0 };
  requireExpanded(run, standing, "Database contraction did not run. Database contraction");
  let rowsVerified = 0;
  let heads = standing.heads;
  for (const release of openReleases(standing.contracted, run.target)) {
    rowsVerified += await makeSure(run, release);
    heads = await contractRelease(run, release);
  }
  return { outcome: "contracted", heads, rowsVerified };
}

/** Everything that speaks against the contract. Where its steps have begun, only older nodes still can. Returns rows verified. */
async function makeSure(run: EngineRun, release: Release): Promise<number> {
  const progress = await DatabaseProgress.open(run.db);
  const name = contractProgressName(release);
  const resumed = await contractHasBegun(run.db, release, await readLiveSchema(run.db));
  let rows = 0;
  if (!resumed) {
    if (await hasPendingData({ db: run.db, target: release }, await readStanding(run.db, await readLiveSchema(run.db))))
      throw new ServiceError(
        "schema.out_of_order",
        "Database contraction did not run. Database contraction cannot be run before data migration is complete. " +
          'Run data migration using "glance-manage db migrate".',
        { facts: { due: "migrate", target: release.id } },
      );
    await refuseOlderNodes(run, release);
    rows = await refuseUnsoundRows(run, release);
  }
  // Nodes register before they look whether they may start, and look for this row: so either we see them, or they see us.
  if (!resumed) await progress.save(name, { cursor: contractAnnounced, rowsDone: rows, finished: false });
  try {
    await refuseOlderNodes(run, release);
  } catch (error) {
    if (!resumed) await progress.remove(name);
    throw error;
  }
  for (const text of await unknownConnections(run.db)) run.on({ event: "warning", text });
  await progress.save(name, { cursor: contractBegun, rowsDone: rows, finished: false });
  return rows;
}

async function refuseOlderNodes(run: EngineRun, release: Release): Promise<void> {
  const older = await olderNodes(run.db, release);
  if (older.length === 0) return;
  const list = older
    .map((node) => `${node.name} (${node.release}, ${node.state}, seen ${node.secondsAgo} s ago)`)
    .join(", ");
  throw new ServiceError(
    "schema.contract_refused",
    `Database contraction did not run. Nodes older than ${release.id} are alive: ${list}. Upgrade or stop them first`,
    { facts: { nodes: older.map((node) => node.name).join(", "), target: release.id } },
  );
}

async function refuseUnsoundRows(run: EngineRun, release: Release): Promise<number> {
  const result = await verifyRelease(run, release);
  const broken = result.invariants.filter((one) => one.severity === "refuse" && one.broken > 0);
  if (broken.length > 0) {
    const list = broken.map((one) => `${one.broken} ${one.name} (such as ${one.examples.join(", ")})`).join("; ");
    throw new ServiceError(
      "schema.contract_refused",
      `Database contraction did not run. It would lose something: ${list}. Put these rows right, then see "glance-manage db verify"`,
      { facts: { rows: broken.reduce((sum, one) => sum + one.broken, 0), target: release.id } },
    );
  }
  for (const one of result.invariants)
    if (one.broken > 0)
      run.on({ event: "warning", text: `${one.broken} ${one.name} (such as ${one.examples.join(", ")})` });
  return result.rows;
}

async function contractRelease(run: EngineRun, release: Release): Promise<readonly string[]> {
  const progress = await DatabaseProgress.open(run.db);
  return withExecutor(run.db, run.limits, async (executor) => {
    const { contract: steps, columnsLeaving } = stepsOf(release.id);
    const schema = await executor.introspect();
    const ours = columnsLeaving.flatMap(([table, column]) => indexRemovals(schema, table, column));
    await runSteps(run, executor, "contract", release.id, [...ours, ...steps.map(forward)]);
    const heads = headsFor(release, release);
    await stamp(run.db, heads);
    await progress.save(contractProgressName(release), { cursor: contractBegun, rowsDone: 0, finished: true });
    await runSteps(run, executor, "indexes", release.id, indexSteps(await executor.introspect()));
    return heads;
  });
}
