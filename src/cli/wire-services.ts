// Joins the domain with its database, its stores and the operator's settings; worker and supervisor both need that much.
import { readApiSettings } from "../api/config.ts";
import { cacheOptions } from "../cache/config.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { StopStack } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";
import type { TransferTracker } from "../core/transfers.ts";
import type { Database } from "../db/database.ts";
import { requireLocationKey } from "../db/location-key.ts";
import { createImageRepository } from "../db/repositories/image-repository.ts";
import { createImportRepository } from "../db/repositories/import-repository.ts";
import { createMemberRepository } from "../db/repositories/member-repository.ts";
import { createTaskRepository } from "../db/repositories/task-repository.ts";
import { createUploadRepository } from "../db/repositories/upload-repository.ts";
import { openKeystoneLimits } from "../identity/keystone/limits.ts";
import type { OperatorRules } from "../identity/policy/open-policy.ts";
import { requireQemuImg } from "../images/import/qemu-img.ts";
import type { Regions } from "../images/import/remote-image.ts";
import { type ImportSettings, partsFolderOf, readImportSettings } from "../images/import/settings.ts";
import type { KeyManager } from "../images/key-manager.ts";
import { openNotifier } from "../images/notifications/notifier.ts";
import type { ImageCache } from "../images/ports.ts";
import type { ProjectLimits } from "../images/project-limits.ts";
import { readPropertySchemas } from "../images/property-schemas.ts";
import { createImageServices, type ImageServices } from "../images/services.ts";
import { type ImageSettings, readImageSettings } from "../images/settings.ts";
import { nodeOptions } from "../node/config.ts";
import type { Release } from "../releases/catalogue.ts";
import { listBlobs, openFileStore } from "../stores/file/file-store.ts";
import { PartFiles } from "../stores/file/part-files.ts";
import { openScratch } from "../stores/file/scratch.ts";
import type { ForeignNodes } from "../stores/foreign-nodes.ts";
import { readForeignNodes } from "../stores/proxy/config.ts";
import { createProxyNodes } from "../stores/proxy/proxy-nodes.ts";
import type { StoreRegistry } from "../stores/registry.ts";
import type { Store } from "../stores/store.ts";
import { openStores } from "./wire-stores.ts";

export type ServiceContext = {
  readonly db: Database;
  readonly release: Release;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly transfers: TransferTracker;
  readonly rules: OperatorRules;
  /** Image services of other regions; absent: none is known. */
  readonly regions?: Regions;
  /** Absent: there is no key manager. */
  readonly keys?: KeyManager;
  /** Gets what has to be closed. */
  readonly stack: StopStack;
  /** Absent: nothing is cached. */
  readonly cache?: ImageCache;
  readonly cachesDownloads?: boolean;
};

const stagingReadBytes = 262_144;

/** Throws stores.unavailable, config.invalid. */
export async function openServices(
  config: Config,
  {
    db,
    release,
    nodeName,
    logger,
    transfers,
    rules,
    stack,
    cache,
    cachesDownloads = false,
    regions,
    keys,
  }: ServiceContext,
): Promise<{ services: ImageServices; settings: ImageSettings; stores: StoreRegistry }> {
  const { capabilities } = release;
  await requireLocationKey(db);
  const propertySchemas = readPropertySchemas(config.files, capabilities);
  const settings = { ...readImageSettings(config, capabilities), ...(propertySchemas ? { propertySchemas } : {}) };
  const stores = await openStores(config, capabilities, stack);
  const foreignNodes = openForeignNodes(config, { nodeName, logger, stack });
  const selfUrl = config.read(cacheOptions).worker_self_reference_url || readApiSettings(config).publicEndpoint;
  const { multiStore } = settings;
  const importing = readImportSettings(config, capabilities, { selfUrl, multiStore });
  if (importing.stagingFolder !== null && importing.plugins.includes("image_conversion")) await requireQemuImg();
  const notify = await openNotifier(config, { logger, stack });
  const services = createImageServices({
    images: createImageRepository(db, capabilities),
    members: createMemberRepository(db, capabilities),
    uploads: createUploadRepository(db, capabilities),
    tasks: createTaskRepository(db, capabilities),
    stores,
    ...(foreignNodes ? { foreignNodes } : {}),
    imports: createImportRepository(db, capabilities, importing),
    staging: await openStaging(importing, stack),
    ...(regions ? { regions } : {}),
    ...(keys ? { keys } : {}),
    ...(importing.stagingFolder === null ? {} : { scratch: openScratch(importing.stagingFolder) }),
    parts: new PartFiles(partsFolderOf(config, { multiStore })),
    stagedKeys: async () => (importing.stagingFolder === null ? [] : listBlobs(importing.stagingFolder)),
    importing,
    policy: rules.policy,
    ...(rules.protections ? { protections: rules.protections } : {}),
    capabilities,
    settings,
    node: nodeName,
    uploadLeaseSeconds: config.read(nodeOptions).upload_lease_seconds,
    logger,
    clock: systemClock,
    transfers,
    ...(notify ? { notify } : {}),
    ...(settings.unifiedLimits ? { limits: openLimits(config, { logger, stack }) } : {}),
    ...(cache ? { cache, cachesDownloads } : {}),
  });
  return { services, settings, stores };
}

/** Keystone is asked when a limit matters first. Throws config.invalid. */
function openLimits(config: Config, { logger, stack }: Pick<ServiceContext, "logger" | "stack">): ProjectLimits {
  const limits = openKeystoneLimits(config, { clock: systemClock, logger });
  stack.defer(() => limits.close());
  return limits;
}

/** Nodes that are asked for data in stores which this one has not. Throws config.invalid. */
function openForeignNodes(
  config: Config,
  { nodeName, logger, stack }: Pick<ServiceContext, "nodeName" | "logger" | "stack">,
): ForeignNodes | undefined {
  const urls = readForeignNodes(config);
  if (urls.length === 0) return undefined;
  const nodes = createProxyNodes({ urls, nodeName, logger });
  stack.defer(() => nodes.close());
  return nodes;
}

/** The folder of staged data has the layout of a file store, as in the reference. Throws config.invalid. */
async function openStaging({ stagingFolder }: ImportSettings, stack: StopStack): Promise<Store | null> {
  if (stagingFolder === null) return null;
  const staging = await openFileStore({
    dataDirectory: stagingFolder,
    filePermissions: null,
    readBytes: stagingReadBytes,
  });
  stack.defer(() => staging.close());
  return staging;
}
