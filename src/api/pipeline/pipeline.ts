// What stands in front of the API in this deployment, as `[paste_deploy]` says: who callers are, and which of CORS, gzip, proxy headers,
// health check and image cache are on. With a glance-api-paste.ini its pipeline counts, without one the reference's usual pipelines.
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { CallerSource } from "../../identity/caller-source.ts";
import { builtInFilters, builtInFlavors } from "./built-in.ts";
import { pasteDeployOptions } from "./config.ts";
import type { Filter, FilterKind, FilterOptions } from "./filter.ts";
import { findPasteFile, readPasteFile } from "./paste-file.ts";
import { filtersOf, flavorsOf } from "./paste-pipeline.ts";

/**
 * Each filter: null where the pipeline lacks it, else the options of its section in the paste file (empty without such a file), whose names
 * are written with `_`. They go before what glance-api.conf says of the same name.
 */
export type Pipeline = {
  /** `none` where no flavor is set. */
  readonly flavor: string;
  /** The paste file, where there is one. */
  readonly file: string | null;
  readonly callers: CallerSource;
  /** Of [filter:authtoken]; empty where callers are not Keystone's. */
  readonly authtoken: FilterOptions;
  readonly cors: FilterOptions | null;
  readonly gzip: FilterOptions | null;
  readonly healthcheck: FilterOptions | null;
  /** http_proxy_to_wsgi. */
  readonly proxyHeaders: FilterOptions | null;
  readonly cache: FilterOptions | null;
  readonly cacheManagement: FilterOptions | null;
  /** For the log, a line each. */
  readonly warnings: readonly string[];
};

/** Throws config.invalid for a flavor there is no pipeline for, and for a paste file that cannot be understood. */
export function readPipeline(config: Pick<Config, "read" | "files">): Pipeline {
  const options = config.read(pasteDeployOptions);
  const flavor = options.flavor?.trim() || "none";
  const file = findPasteFile(options.config_file, config.files);
  const filters = file === null ? builtIn(flavor) : fromFile(flavor, file);
  const first = (kind: FilterKind) => filters.find((filter) => filter.kind === kind)?.options ?? null;
  return {
    flavor,
    file,
    callers: callersOf(filters, flavor, file),
    authtoken: first("authtoken") ?? {},
    cors: first("cors"),
    gzip: first("gzip"),
    healthcheck: first("healthcheck"),
    proxyHeaders: first("proxy-headers"),
    cache: first("cache"),
    cacheManagement: first("cache-management"),
    warnings: file === null ? [] : unknownFilters(filters, file),
  };
}

function builtIn(flavor: string): readonly Filter[] {
  const filters = builtInFilters(flavor);
  if (filters) return filters;
  const known = builtInFlavors.join(", ");
  throw invalid(
    `[paste_deploy] flavor is "${flavor}", which is no flavor. There are: ${known} (unset is none)`,
    flavor,
  );
}

function fromFile(flavor: string, file: string): readonly Filter[] {
  const paste = readPasteFile(file);
  const filters = filtersOf(paste, flavor);
  if (filters) return filters;
  const known = flavorsOf(paste).join(", ") || "no pipeline at all";
  throw invalid(`[paste_deploy] flavor is "${flavor}", but ${file} has pipelines only for: ${known}`, flavor);
}

/** Who fills in the caller: what `authtoken` and fakeauth find out, `context` believes. */
function callersOf(filters: readonly Filter[], flavor: string, file: string | null): CallerSource {
  const has = (kind: FilterKind) => filters.some((filter) => filter.kind === kind);
  if (has("unauthenticated-context")) return "none";
  if (has("context")) return has("authtoken") ? "keystone" : has("fakeauth") ? "fakeauth" : "headers";
  const where = file ?? "the built-in pipelines";
  throw invalid(
    `the pipeline of flavor "${flavor}" in ${where} says nowhere who callers are: it needs context or unauthenticated-context`,
    flavor,
  );
}

function unknownFilters(filters: readonly Filter[], file: string): readonly string[] {
  const names = filters.filter((filter) => filter.kind === "unknown").map((filter) => filter.name);
  return names.length === 0 ? [] : [`filters of ${file} that are not known here were left out: ${names.join(", ")}`];
}

function invalid(message: string, value: string): ServiceError {
  return new ServiceError("config.invalid", message, {
    facts: { section: "paste_deploy", option: "flavor", value },
  });
}
