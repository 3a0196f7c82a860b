// What the supervisor of a node uses itself, chosen and joined: registry, start guard, reaper. It loads no API.
import type { Config } from "../core/config.ts";
import { StopStack } from "../core/lifecycle.ts";
import { TransferTracker } from "../core/transfers.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import { createNodeRepository } from "../db/repositories/node-repository.ts";
import { ensureOwnTables } from "../db/schema/own-tables.ts";
import { databaseReadiness } from "../db/schema/readiness.ts";
import { openOperatorRules } from "../identity/policy/open-policy.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import type { NodeParts } from "../node/parts.ts";
import type { PartsContext } from "../node/supervisor.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { openServices } from "./wire-services.ts";

/** Heartbeats, the guard's questions and the reaper, never two of a kind at once. */
const connectionsMax = 3;

/** Throws db.unreachable, db.access_denied, db.wrong_schema, stores.unavailable, config.invalid. */
export async function openSupervisorParts(config: Config, context: PartsContext): Promise<NodeParts> {
  const stack = new StopStack();
  try {
    const { logger, nodeName } = context;
    const { url, options } = readDatabaseConfig(config);
    const tries = context.patient ? {} : { connectAttemptsMax: 1 };
    const db = await openDatabase(url, { ...options, poolSizeMax: connectionsMax, ...tries, logger });
    stack.defer(() => db.close());
    const release = releaseOf(readNodeSettings(config).release);
    const transfers = new TransferTracker();
    const rules = openOperatorRules(config, release.capabilities);
    const { services } = await openServices(config, { db, release, nodeName, logger, transfers, rules, stack });
    let residue: Promise<number> | undefined;
    return {
      nodes: createNodeRepository(db),
      ensureTables: () => ensureOwnTables(db),
      async readiness() {
        const readiness = await databaseReadiness(db, release);
        if (readiness.ready) return readiness;
        return { ready: false, message: `release ${release.id} cannot serve from this database: ${readiness.why}` };
      },
      async reclaimExpiredUploads() {
        // Beside what runs, and once: a large folder must not hold up the start.
        residue ??= services.imports.removeResidue();
        await residue;
        const uploads = await services.reaper.reclaimExpiredUploads();
        return uploads + (await services.imports.reclaimExpiredImports());
      },
      close: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
