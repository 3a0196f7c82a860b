// The one place where a node's concrete parts are chosen and joined: database, repositories, stores, domain, identity, API.
import { register } from "prom-client";
import { readApiSettings } from "../api/config.ts";
import { createApiMetrics } from "../api/metrics.ts";
import { createApi } from "../api/server.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { StopStack } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";
import { TransferTracker } from "../core/transfers.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import type { Database } from "../db/database.ts";
import { createImageRepository } from "../db/repositories/image-repository.ts";
import { createMemberRepository } from "../db/repositories/member-repository.ts";
import { createNodeRepository } from "../db/repositories/node-repository.ts";
import { createUploadRepository } from "../db/repositories/upload-repository.ts";
import { ensureOwnTables } from "../db/schema/own-tables.ts";
import { databaseReadiness } from "../db/schema/readiness.ts";
import { readIdentitySettings } from "../identity/config.ts";
import { defaultPolicy } from "../identity/default-policy.ts";
import { createIdentity } from "../identity/identity.ts";
import { createImageServices, type ImageServices } from "../images/services.ts";
import { type ImageSettings, readImageSettings } from "../images/settings.ts";
import { createAnnouncement } from "../node/announced-release.ts";
import { listenOptions, nodeOptions } from "../node/config.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import type { NodeParts } from "../node/parts.ts";
import type { PartsContext } from "../node/supervisor.ts";
import type { WorkerContext, WorkerService } from "../node/worker.ts";
import { oldestRelease, type Release, releaseOf } from "../releases/catalogue.ts";
import { readFileStoreOptions } from "../stores/file/config.ts";
import { openFileStore } from "../stores/file/file-store.ts";
import { createStoreRegistry } from "../stores/registry.ts";

/** Heartbeats, the guard's questions and the reaper, never two of a kind at once. */
const supervisorConnectionsMax = 3;

/** What the supervisor itself uses. Throws db.unreachable, db.access_denied, db.wrong_schema, stores.unavailable, config.invalid. */
export async function openSupervisorParts(config: Config, context: PartsContext): Promise<NodeParts> {
  const stack = new StopStack();
  try {
    const { logger, nodeName } = context;
    const { url, options } = readDatabaseConfig(config);
    const tries = context.patient ? {} : { connectAttemptsMax: 1 };
    const db = await openDatabase(url, { ...options, poolSizeMax: supervisorConnectionsMax, ...tries, logger });
    stack.defer(() => db.close());
    const release = releaseOf(readNodeSettings(config).release);
    const { services } = await openServices(config, {
      db,
      release,
      nodeName,
      logger,
      transfers: new TransferTracker(),
      stack,
    });
    return {
      nodes: createNodeRepository(db),
      ensureTables: () => ensureOwnTables(db),
      async readiness() {
        const readiness = await databaseReadiness(db, release);
        if (readiness.ready) return readiness;
        return { ready: false, message: `release ${release.id} cannot serve from this database: ${readiness.why}` };
      },
      reclaimExpiredUploads: () => services.reaper.reclaimExpiredUploads(),
      close: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** What a worker serves. Throws as openSupervisorParts does. */
export async function buildWorkerService(context: WorkerContext): Promise<WorkerService> {
  const { config, gate, logger, nodeName, transfers } = context;
  const stack = new StopStack();
  try {
    const release = releaseOf(readNodeSettings(config).release);
    const { url, options } = readDatabaseConfig(config);
    const db = await openDatabase(url, { ...options, logger });
    stack.defer(() => db.close());
    const { services, settings } = await openServices(config, { db, release, nodeName, logger, transfers, stack });
    const { flavor } = readIdentitySettings(config);
    const nodes = createNodeRepository(db);
    const app = await createApi({
      services,
      identity: createIdentity({ flavor, policy: defaultPolicy }),
      release,
      announced: createAnnouncement({ own: release, oldest: oldestRelease, nodes: () => nodes.list(), logger }),
      gate,
      settings: readApiSettings(config),
      images: settings,
      metrics: createApiMetrics(register),
      logger,
      headerBytesMax: config.read(listenOptions).max_header_line,
    });
    stack.defer(() => app.close());
    return { server: app.server, close: () => stack.stop() };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

type ServiceContext = {
  readonly db: Database;
  readonly release: Release;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly transfers: TransferTracker;
  readonly stack: StopStack;
};

async function openServices(
  config: Config,
  { db, release, nodeName, logger, transfers, stack }: ServiceContext,
): Promise<{ services: ImageServices; settings: ImageSettings }> {
  const { capabilities } = release;
  const settings = readImageSettings(config, capabilities);
  const store = await openFileStore(readFileStoreOptions(config));
  stack.defer(() => store.close());
  const services = createImageServices({
    images: createImageRepository(db, capabilities),
    members: createMemberRepository(db, capabilities),
    uploads: createUploadRepository(db),
    store,
    stores: createStoreRegistry([store]),
    policy: defaultPolicy,
    capabilities,
    settings,
    node: nodeName,
    uploadLeaseSeconds: config.read(nodeOptions).upload_lease_seconds,
    logger,
    clock: systemClock,
    transfers,
  });
  return { services, settings };
}
