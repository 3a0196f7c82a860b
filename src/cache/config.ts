// Options of glance-api.conf that the image cache reads, under the reference's names.
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { optionGroup } from "../core/options.ts";
import type { Capabilities } from "../releases/capabilities.ts";

export const cacheOptions = optionGroup("DEFAULT", {
  image_cache_dir: {
    type: "string",
    default: null,
    help: "Folder in which this node, and no other, keeps copies of downloaded images. Unset: no image is cached. Downloads are served from it where the pipeline has the filter cache.",
  },
  image_cache_driver: {
    type: "string",
    default: null,
    choices: ["sqlite", "xattr", "centralized_db"],
    help: "Where it is noted what the cache holds. sqlite: in image_cache_sqlite_db. centralized_db (from 2024.1 on, and the default there): in the database, under worker_self_reference_url. xattr: in attributes of the copies themselves (user.hits), for which the folder's file system has to keep such attributes.",
  },
  image_cache_max_size: {
    type: "integer",
    default: 10_737_418_240,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    help: "Bytes the cache may hold. When a new copy makes it larger, those that were not read for the longest time go. 0: nothing is cached.",
  },
  image_cache_stall_time: {
    type: "integer",
    default: 86_400,
    min: 0,
    help: "Seconds without a byte after which an unfinished copy is removed.",
  },
  image_cache_sqlite_db: {
    type: "string",
    default: "cache.db",
    help: "File of driver sqlite, relative to image_cache_dir.",
  },
  cache_prefetcher_interval: {
    type: "integer",
    default: 300,
    min: 0,
    help: "Seconds between two looks of a node at the images that were queued for its cache, from Ussuri on. 0: only the command glance-cache-prefetcher fetches them, and what is asked for by the cache API.",
  },
  worker_self_reference_url: {
    type: "string",
    default: null,
    help: "URL under which other nodes reach this one; names this node's cache in the database where image_cache_driver is centralized_db, and says which node has staged data (unset: public_endpoint).",
  },
});

export type CacheSettings = {
  /** Absolute path. */
  readonly directory: string;
  readonly driver: "sqlite" | "xattr" | "centralized_db";
  readonly bytesMax: number;
  readonly stallSeconds: number;
  /** Absolute path of the SQLite file. */
  readonly sqlitePath: string;
  /** 0: never by itself. */
  readonly prefetchSeconds: number;
  /** Names this node's cache in the database; null with the other drivers. */
  readonly selfUrl: string | null;
};

/** null where nothing is cached. Throws config.invalid. */
export function readCacheSettings(
  config: Pick<Config, "read">,
  { cacheInDatabase, prefetchingNode }: Pick<Capabilities, "cacheInDatabase" | "prefetchingNode">,
): CacheSettings | null {
  const options = config.read(cacheOptions);
  const directory = options.image_cache_dir?.trim();
  if (!directory) return null;
  if (!directory.startsWith("/")) throw invalid("image_cache_dir", `is "${directory}": give an absolute path.`);
  const driver = options.image_cache_driver ?? (cacheInDatabase ? "centralized_db" : "sqlite");
  if (driver === "centralized_db" && !cacheInDatabase)
    throw invalid("image_cache_driver", "is centralized_db, which came with 2024.1: use sqlite until then.");
  const name = options.image_cache_sqlite_db;
  return {
    directory,
    driver: driver === "centralized_db" || driver === "xattr" ? driver : "sqlite",
    bytesMax: options.image_cache_max_size,
    stallSeconds: options.image_cache_stall_time,
    sqlitePath: name.startsWith("/") ? name : `${directory}/${name}`,
    prefetchSeconds: prefetchingNode ? options.cache_prefetcher_interval : 0,
    selfUrl: driver === "centralized_db" ? selfUrlOf(options.worker_self_reference_url) : null,
  };
}

function selfUrlOf(text: string | null): string {
  const url = text?.trim();
  if (!url)
    throw invalid(
      "worker_self_reference_url",
      "is not set, and names this node's cache in the database: give the URL of this node, or set image_cache_driver = sqlite.",
    );
  if (!URL.canParse(url) || url.length > 255)
    throw invalid("worker_self_reference_url", `is "${url}": give a URL of at most 255 characters.`);
  return url;
}

function invalid(option: string, what: string): ServiceError {
  return new ServiceError("config.invalid", `[DEFAULT] ${option} ${what}`, { facts: { section: "DEFAULT", option } });
}
