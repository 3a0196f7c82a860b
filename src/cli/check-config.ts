// Everything in a configuration that can be judged without opening anything, so that a wrong file is refused before the node
// starts or reloads, with one line.
import { readApiSettings } from "../api/config.ts";
import { readDisableFiles } from "../api/pipeline/healthcheck.ts";
import { type Pipeline, readPipeline } from "../api/pipeline/pipeline.ts";
import { type CacheSettings, readCacheSettings } from "../cache/config.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { databaseOptions } from "../db/config.ts";
import { parseDatabaseUrl } from "../db/url.ts";
import { identityOptions } from "../identity/config.ts";
import { refuseExposedFakeauth } from "../identity/fakeauth.ts";
import { openKeystoneLimits } from "../identity/keystone/limits.ts";
import { openIdentity } from "../identity/open-identity.ts";
import { openOperatorRules } from "../identity/policy/open-policy.ts";
import { planNotifier } from "../images/notifications/notifier.ts";
import { checkPropertySchemas } from "../images/property-schemas.ts";
import { readImageSettings } from "../images/settings.ts";
import { listenOptions } from "../node/config.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { readForeignNodes } from "../stores/proxy/config.ts";
import { planStores } from "./wire-stores.ts";

/** Throws config.invalid. */
export function checkConfig(config: Config): void {
  const { release } = readNodeSettings(config);
  const { capabilities } = releaseOf(release);
  checkPropertySchemas(config.files, capabilities);
  planNotifier(config);
  const { unifiedLimits } = readImageSettings(config, capabilities);
  if (unifiedLimits) openKeystoneLimits(config, { clock: systemClock, logger: silentLogger });
  const { policy } = openOperatorRules(config, capabilities);
  readApiSettings(config);
  planStores(config, capabilities);
  readForeignNodes(config);
  parseDatabaseUrl(databaseUrlOf(config));
  const pipeline = readPipeline(config);
  requireCache(pipeline, readCacheSettings(config, capabilities));
  const { bind_host: bindHost, bind_port: port } = config.read(listenOptions);
  readDisableFiles(config, pipeline, port);
  openIdentity(config, { ...pipeline, policy, traits: capabilities.policy, logger: silentLogger });
  const { fakeauth_anywhere: anywhere } = config.read(identityOptions);
  refuseExposedFakeauth({ callers: pipeline.callers, bindHost, anywhere });
}

/** A pipeline with the filter says that downloads are cached: without a folder they would not be. */
function requireCache({ cache, flavor }: Pipeline, settings: CacheSettings | null): void {
  if (cache !== null && settings === null)
    throw new ServiceError(
      "config.invalid",
      `[DEFAULT] image_cache_dir is not set, but flavor "${flavor}" caches images: set it, or choose a flavor without caching.`,
      { facts: { section: "DEFAULT", option: "image_cache_dir" } },
    );
}

/** Throws config.invalid where no database is configured. */
function databaseUrlOf(config: Config): string {
  const { connection } = config.read(databaseOptions);
  if (connection) return connection;
  const where = config.files.length > 0 ? config.files.join(", ") : "no configuration file was found";
  const message = `[database] connection is not set (${where}); give it, such as mysql://glance:password@host/glance`;
  throw new ServiceError("config.invalid", message, { facts: { section: "database", option: "connection" } });
}
