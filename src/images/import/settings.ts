// The operator's settings of staging and import in the shape the domain uses.
import assert from "node:assert/strict";
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Capabilities, ImportMethod, ImportPlugin } from "../../releases/capabilities.ts";
import {
  conversionOptions,
  glanceDownloadOptions,
  importFilterOptions,
  importOptions,
  importPluginOptions,
  injectOptions,
  stagingStoreOptions,
  taskExecutorOptions,
  taskOptions,
} from "./config.ts";
import { type WritableFormat, writable } from "./qemu-img.ts";
import type { UriRules } from "./uri-filter.ts";

export type ImportSettings = {
  /** Those that clients may use, in the operator's order; empty where there is no import. */
  readonly methods: readonly ImportMethod[];
  /** Absolute path of the folder of staged data; null where nothing is ever staged. */
  readonly stagingFolder: string | null;
  /** The URL by which other nodes reach this one; null: unknown. */
  readonly selfUrl: string | null;
  readonly taskLifeHours: number;
  /** Of one process. */
  readonly importsMax: number;
  readonly uriRules: UriRules;
  readonly plugins: readonly ImportPlugin[];
  /** What image_conversion makes of images. */
  readonly convertsTo: WritableFormat;
  /** Beginnings of the names of properties that glance-download takes along. */
  readonly copiedProperties: readonly string[];
  /** What inject_image_metadata sets, and for whom it does not. */
  readonly injected: {
    readonly properties: Readonly<Record<string, string>>;
    readonly ignoredRoles: readonly string[];
  };
};

const knownPlugins: readonly string[] = ["no_op", "inject_image_metadata", "image_conversion", "image_decompression"];
const known: readonly string[] = ["glance-direct", "web-download", "copy-image", "glance-download"];

/** `selfUrl`: worker_self_reference_url, or what stands in for it. Throws config.invalid. */
export function readImportSettings(
  config: Pick<Config, "read">,
  capabilities: Capabilities,
  { selfUrl, multiStore }: { readonly selfUrl: string | null; readonly multiStore: boolean },
): ImportSettings {
  const options = config.read(importOptions);
  const filter = config.read(importFilterOptions);
  const on = capabilities.importing && (options.enable_image_import ?? capabilities.importSwitch ?? true);
  const switchedOn = capabilities.importSwitch === null ? capabilities.importing : on;
  const inject = config.read(injectOptions);
  return {
    methods: switchedOn ? methodsOf(options.enabled_import_methods, capabilities) : [],
    stagingFolder: switchedOn ? partsFolderOf(config, { multiStore }) : null,
    selfUrl: selfUrl?.trim().replace(/\/+$/, "") || null,
    taskLifeHours: config.read(taskOptions).task_time_to_live,
    importsMax: config.read(taskExecutorOptions).max_workers,
    plugins: pluginsOf(config.read(importPluginOptions).image_import_plugins, capabilities),
    convertsTo: outputFormatOf(config.read(conversionOptions).output_format),
    copiedProperties: config
      .read(glanceDownloadOptions)
      .extra_properties.map((prefix) => prefix.trim())
      .filter((prefix) => prefix !== ""),
    injected: {
      properties: injectedOf(inject.inject),
      ignoredRoles: inject.ignore_user_roles.map((role) => role.toLowerCase()),
    },
    uriRules: {
      schemes: { allowed: filter.allowed_schemes, disallowed: filter.disallowed_schemes },
      hosts: { allowed: filter.allowed_hosts, disallowed: filter.disallowed_hosts },
      ports: {
        allowed: portsOf("allowed_ports", filter.allowed_ports),
        disallowed: portsOf("disallowed_ports", filter.disallowed_ports),
      },
    },
  };
}

/** Where parts of uploads wait: also at releases that stage nothing. Throws config.invalid. */
export function partsFolderOf(config: Pick<Config, "read">, { multiStore }: { readonly multiStore: boolean }): string {
  const staging = config.read(stagingStoreOptions).filesystem_store_datadir;
  return stagingFolderOf(multiStore && staging ? staging : config.read(importOptions).node_staging_uri);
}

/** A slip in a name would take a way of importing from clients without a word. */
function methodsOf(names: readonly string[], capabilities: Capabilities): readonly ImportMethod[] {
  const { importMethods, importMethodsDefault } = capabilities;
  const wanted = names.map((name) => name.trim()).filter((name) => name !== "");
  if (wanted.length === 1 && wanted[0] === "default") return importMethodsDefault;
  const wrong = wanted.find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw invalid("DEFAULT", "enabled_import_methods", `it names "${wrong}"; there are ${known.join(", ")}.`);
  return wanted.flatMap((name) => importMethods.find((method) => method === name) ?? []);
}

function pluginsOf(names: readonly string[], { importPlugins }: Capabilities): readonly ImportPlugin[] {
  const wrong = names.find((name) => !knownPlugins.includes(name));
  if (wrong !== undefined)
    throw invalid(
      "image_import_opts",
      "image_import_plugins",
      `it names "${wrong}"; there are ${knownPlugins.join(", ")}.`,
    );
  return names.flatMap((name) => importPlugins.find((plugin) => plugin === name) ?? []);
}

/** The option's choices are the formats. */
function outputFormatOf(text: string): WritableFormat {
  return writable.find((format) => format === text) ?? assert.fail(`${text} is no format we write`);
}

function injectedOf(pairs: readonly string[]): Readonly<Record<string, string>> {
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf(":");
    const name = pair.slice(0, Math.max(at, 0)).trim();
    if (name === "" || name.startsWith("os_glance"))
      throw invalid(
        "inject_metadata_properties",
        "inject",
        `"${pair}" is not name:value, or names a property of the service's own.`,
      );
    return [name, pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(entries);
}

function stagingFolderOf(text: string): string {
  const path = text.replace(/^file:\/\//, "");
  if (path.startsWith("/")) return path;
  throw invalid("DEFAULT", "node_staging_uri", `"${text}" is not a file:// URL of an absolute path.`);
}

function portsOf(option: string, texts: readonly string[]): readonly number[] {
  return texts.map((text) => {
    const port = Number(text);
    if (/^\d+$/.test(text) && port > 0 && port < 65_536) return port;
    throw invalid("import_filtering_opts", option, `"${text}" is no port.`);
  });
}

function invalid(section: string, option: string, why: string): ServiceError {
  return new ServiceError("config.invalid", `[${section}] ${option}: ${why}`, { facts: { section, option } });
}
