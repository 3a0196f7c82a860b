// Finds the files of the operator's rules, and tells when they changed.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { findBesideConfig } from "../../core/config-files.ts";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { PolicySettings } from "./config.ts";

type Named = Pick<PolicySettings, "policyFile" | "policyFolders" | "configFiles">;

export type PolicyFiles = {
  /** In the order in which they are read; later rules win. */
  readonly files: readonly string[];
  /** Named by the operator, and nowhere. */
  readonly missing: string | null;
};

/** Throws config.invalid where a folder cannot be read. */
export function findPolicyFiles({ policyFile, policyFolders, configFiles }: Named): PolicyFiles {
  const names = policyFile === null ? ["policy.yaml", "policy.json"] : [policyFile];
  const file = names.map((name) => findBesideConfig(name, configFiles)).find((path) => path !== undefined);
  const folders = policyFolders.flatMap((name) => findBesideConfig(name, configFiles) ?? []);
  return {
    files: [...(file === undefined ? [] : [file]), ...folders.flatMap(filesIn)],
    missing: file === undefined ? policyFile : null,
  };
}

/** Hidden ones are other programs' unfinished files. */
function filesIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.name.startsWith("."));
    const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** Throws config.invalid. */
export function readPolicyFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A text that differs whenever one of the files was written, replaced, added or removed. */
export function signatureOf({ files }: PolicyFiles): string {
  return files
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false, bigint: true });
      return found ? `${file} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : `${file} gone`;
    })
    .join("\n");
}

function unreadable(path: string, error: unknown): ServiceError {
  return new ServiceError("config.invalid", `rules of policy cannot be read: ${errorText(error)}`, {
    facts: { file: path },
    cause: error,
  });
}
