// What `glance-status upgrade check` looks at before an upgrade: options and files that newer releases do not take, the configuration,
// and the database with its data. The first three are the reference's, by the same names.
import { readFileSync } from "node:fs";
import { type Config, loadConfig } from "../core/config.ts";
import { findBesideConfig } from "../core/config-files.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import { type OptionGroup, optionGroup } from "../core/options.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import type { Database } from "../db/database.ts";
import { type CheckResult, check } from "../db/schema/check.ts";
import { databaseReadiness, type Readiness } from "../db/schema/readiness.ts";
import { nodeOptions } from "../node/config.ts";
import { isReleaseId, newestRelease, type Release, releaseOf } from "../releases/catalogue.ts";
import { checkConfig } from "./check-config.ts";
import { allOptionGroups, configuration } from "./wire-options.ts";

export const resultNames = ["Success", "Warning", "Failure"] as const;
/** As in resultNames; the greatest of all checks is the exit code. */
export type ResultCode = 0 | 1 | 2;

export type CheckedItem = { readonly check: string; readonly result: ResultCode; readonly details: string | null };

type Finding = readonly [result: ResultCode, details: string | null];
const success: Finding = [0, null];

const retiredDefaults = optionGroup("DEFAULT", {
  enabled_backends: { type: "list", default: [], help: "Stores, as id:type." },
  owner_is_tenant: { type: "boolean", default: true, help: "Whether projects own images." },
});
const retiredStores = optionGroup("glance_store", {
  stores: { type: "list", default: [], help: "Stores, by type." },
});
const policyOptions = optionGroup("oslo_policy", {
  policy_file: { type: "string", default: "policy.yaml", help: "Where rules of policy stand." },
});

/** Our own section with any values: a wrong one is told of by the check of the whole configuration. */
const ownNames: OptionGroup = {
  section: "perennial",
  options: Object.fromEntries(
    allOptionGroups
      .filter((group) => group.section === "perennial")
      .flatMap((group) => Object.keys(group.options))
      .map((name) => [name, { type: "multi", default: [], help: "" }]),
  ),
};

/** Reads and asks; changes nothing. What it finds is its result: it throws only what nobody expected. */
export async function upgradeChecks(files: readonly string[]): Promise<readonly CheckedItem[]> {
  const items: CheckedItem[] = [];
  const add = (name: string, [result, details]: Finding) => items.push({ check: name, result, details });
  let old: Config;
  try {
    old = loadConfig({ files, groups: [retiredDefaults, retiredStores, policyOptions, ownNames] });
  } catch (error) {
    add("Configuration", failure(error));
    return items;
  }
  add("Sheepdog Driver Removal", sheepdog(old));
  add("Policy File JSON to YAML Migration", jsonPolicy(old));
  add("Config option owner_is_tenant removal", ownerIsTenant(old));
  const config = checkedConfiguration(files);
  add("Configuration", config.finding);
  if (config.read) for (const [name, finding] of await databaseFindings(config.read)) add(name, finding);
  return items;
}

function sheepdog(old: Config): Finding {
  const types = [
    ...old.read(retiredStores).stores,
    ...old.read(retiredDefaults).enabled_backends.map((one) => one.replace(/^[^:]*:/, "")),
  ];
  if (!types.some((type) => /\bsheepdog\b/.test(type))) return success;
  return [
    2,
    "A store of the type sheepdog is configured, which no release since Ussuri has: move its images to another.",
  ];
}

function jsonPolicy(old: Config): Finding {
  const path = findBesideConfig(old.read(policyOptions).policy_file, old.files);
  if (path === undefined || !isJson(path)) return success;
  return [
    2,
    `${path} is JSON. Write it as YAML, for which oslopolicy-convert-json-to-yaml is made, and name that in [oslo_policy] policy_file.`,
  ];
}

function ownerIsTenant(old: Config): Finding {
  if (old.read(retiredDefaults).owner_is_tenant) return success;
  return [
    2,
    "owner_is_tenant is False, and no release since Wallaby lets users own images. Give the images to projects first.",
  ];
}

function isJson(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, "utf8"));
    return true;
  } catch {
    // YAML, or nothing that can be read as either.
    return false;
  }
}

/** `read`: also where a value is refused, as long as the database is named. */
function checkedConfiguration(files: readonly string[]): { readonly finding: Finding; readonly read: Config | null } {
  let read: Config | null = null;
  try {
    read = loadConfig({ files, ...configuration });
    checkConfig(read);
    if (read.unknown.length === 0) return { finding: success, read };
    return { finding: [1, `Options that are not known here, and have no effect: ${read.unknown.join(", ")}`], read };
  } catch (error) {
    return { finding: failure(error), read };
  }
}

async function databaseFindings(config: Config): Promise<readonly (readonly [name: string, finding: Finding])[]> {
  let db: Database;
  try {
    const { url, options } = readDatabaseConfig(config);
    db = await openDatabase(url, { ...options, connectAttemptsMax: 1 });
  } catch (error) {
    return [["Database Connection", failure(error)]];
  }
  try {
    const { release } = config.read(nodeOptions);
    const target = isReleaseId(release) ? releaseOf(release) : newestRelease;
    const { schema, data } = await schemaFindings(db, target);
    return [
      ["Database Connection", success],
      ["Database Schema", schema],
      ["Data Migrations", data],
    ];
  } catch (error) {
    return [["Database Connection", failure(error)]];
  } finally {
    await db.close();
  }
}

/** Throws what the database throws. */
async function schemaFindings(db: Database, target: Release): Promise<{ schema: Finding; data: Finding }> {
  const readiness = await databaseReadiness(db, target);
  if (!readiness.ready && readiness.due !== "migrate")
    return { schema: [2, notReady(readiness, target)], data: [1, "Not known before the schema is ready."] };
  const { due } = await check(db, target);
  return { schema: schemaFinding(due, target), data: dataFinding(readiness, due, target) };
}

function schemaFinding(due: CheckResult["due"], { id }: Release): Finding {
  if (due === "contract")
    return [
      1,
      `The database serves ${id}, and older releases still. When none of them runs: glance-manage db contract`,
    ];
  if (due === "expand")
    return [1, `The database serves ${id}, and lacks what older nodes beside it need: glance-manage db expand`];
  return success;
}

function dataFinding(readiness: Readiness, due: CheckResult["due"], target: Release): Finding {
  if (!readiness.ready) return [2, notReady(readiness, target)];
  return due === "migrate" ? [1, "Rows wait for a data migration: glance-manage db migrate"] : success;
}

function notReady({ why }: Exclude<Readiness, { ready: true }>, { id }: Release): string {
  return `No node of ${id} can serve: ${why}`;
}

/** Of a failure that somebody can do something about. */
function failure(error: unknown): Finding {
  if (!isServiceError(error)) throw error;
  return [2, errorText(error)];
}
