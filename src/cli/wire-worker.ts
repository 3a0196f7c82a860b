// What a worker serves, chosen and joined: database, repositories, stores, domain, identity, API.
import { register } from "prom-client";
import { readApiSettings } from "../api/config.ts";
import { createApiMetrics } from "../api/metrics.ts";
import { readPipeline } from "../api/pipeline/pipeline.ts";
import { createApi } from "../api/server.ts";
import { WarmUp } from "../api/warm-up.ts";
import { createCacheService } from "../cache/cache-service.ts";
import { readCacheSettings } from "../cache/config.ts";
import { startPrefetcher } from "../cache/prefetcher.ts";
import { StopStack } from "../core/lifecycle.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import { createMetadefRepository } from "../db/metadefs/metadef-repository.ts";
import { createImageRepository } from "../db/repositories/image-repository.ts";
import { createNodeRepository } from "../db/repositories/node-repository.ts";
import { openIdentity } from "../identity/open-identity.ts";
import { openOperatorRules } from "../identity/policy/open-policy.ts";
import { createMetadefServices } from "../metadefs/services.ts";
import { createAnnouncement, createDescription } from "../node/announced-release.ts";
import { listenOptions } from "../node/config.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import type { WorkerContext, WorkerService } from "../node/worker.ts";
import { oldestRelease, releaseOf } from "../releases/catalogue.ts";
import { openCache } from "./wire-cache.ts";
import { openServices } from "./wire-services.ts";

/** What a worker serves. Throws db.unreachable, db.access_denied, db.wrong_schema, stores.unavailable, config.invalid. */
export async function buildWorkerService(context: WorkerContext): Promise<WorkerService> {
  const { config, gate, logger, nodeName, transfers } = context;
  const stack = new StopStack();
  try {
    const release = releaseOf(readNodeSettings(config).release);
    const { url, options } = readDatabaseConfig(config);
    const db = await openDatabase(url, { ...options, logger });
    stack.defer(() => db.close());
    const rules = openOperatorRules(config, release.capabilities);
    for (const warning of rules.policy.warnings) logger.warn(warning);
    stack.defer(rules.policy.watch(logger));
    const pipeline = readPipeline(config);
    for (const warning of pipeline.warnings) logger.warn(warning);
    const { policy } = rules;
    const { identity, close, regions, keys } = openIdentity(config, {
      ...pipeline,
      policy,
      traits: release.capabilities.policy,
      logger,
    });
    stack.defer(close);
    const api = readApiSettings(config);
    const cacheSettings = readCacheSettings(config, release.capabilities);
    const cache = cacheSettings && (await openCache(cacheSettings, async () => db, logger));
    if (cache) stack.defer(() => cache.close());
    const caching = cache ? { cache, cachesDownloads: pipeline.cache !== null } : {};
    const elsewhere = { ...(regions ? { regions } : {}), ...(keys ? { keys } : {}) };
    const parts = { db, release, nodeName, logger, transfers, rules, stack, ...caching, ...elsewhere };
    const { services, settings, stores } = await openServices(config, parts);
    const images = createImageRepository(db, release.capabilities);
    const prefetcher = cache && startPrefetcher({ cache, images, stores, logger }, cacheSettings.prefetchSeconds);
    if (prefetcher) stack.defer(() => prefetcher.stop());
    const cacheService = createCacheService({
      cache,
      images,
      policy: rules.policy,
      fetchSoon: () => prefetcher?.soon(),
    });
    const nodes = createNodeRepository(db);
    const announced = createAnnouncement({ own: release, oldest: oldestRelease, nodes: () => nodes.list(), logger });
    // Asked for the first time while the database surely answers: a later failure then repeats what clients have seen.
    await announced();
    const metadefs = createMetadefServices({
      repository: createMetadefRepository(db),
      policy: rules.policy,
      capabilities: release.capabilities,
      pageDefault: settings.pageImagesDefault,
      pageMax: settings.pageImagesMax,
    });
    const warmUp = new WarmUp();
    const app = await createApi({
      services: { ...services, metadefs },
      cache: cacheService,
      identity: warmUp.identity(identity),
      release,
      announced,
      described: createDescription({ own: release, nodes: () => nodes.list(), logger }),
      gate,
      settings: {
        ...api,
        schemeHeader: release.capabilities.schemeHeader ? api.schemeHeader : null,
        features: {
          ...api.features,
          multiStore: settings.multiStore,
          imageImport: services.imports.methods.length > 0,
        },
      },
      images: settings,
      metrics: warmUp.metrics(createApiMetrics(register)),
      logger,
      headerBytesMax: config.read(listenOptions).max_header_line,
    });
    stack.defer(() => app.close());
    await warmUp.run(app.server);
    return {
      server: app.server,
      cut: () => services.imports.cut(),
      quiesce: () => void prefetcher?.stop(),
      close: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
