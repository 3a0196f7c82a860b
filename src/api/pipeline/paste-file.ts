// Finds and reads a paste file into its sections; what they mean for a pipeline is for paste-pipeline.ts.
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { findBesideConfig } from "../../core/config-files.ts";
import { parseConfig, readConfigText } from "../../core/config-parser.ts";
import { ServiceError } from "../../core/errors.ts";

export type PasteSection = {
  /** `pipeline`, `composite`, `filter`, `app` ...; lower-cased, as the name is. */
  readonly type: string;
  readonly name: string;
  /** Those of [DEFAULT] below its own. */
  readonly options: Readonly<Record<string, string>>;
};

export type PasteFile = { readonly file: string; readonly sections: readonly PasteSection[] };

/** What `[paste_deploy] config_file` names, or what lies beside the last configuration file; null where neither is. Throws config.invalid. */
export function findPasteFile(named: string | null, configFiles: readonly string[]): string | null {
  if (named !== null && named.trim() !== "") {
    const found = findBesideConfig(named.trim(), configFiles);
    if (found !== undefined) return resolve(found);
    throw new ServiceError("config.invalid", `[paste_deploy] config_file ${named} does not exist.`, {
      facts: { section: "paste_deploy", option: "config_file", value: named },
    });
  }
  const last = configFiles.at(-1);
  if (last === undefined) return null;
  const names = [`${basename(last).replace(/\.conf$/, "")}-paste.ini`, "glance-api-paste.ini"];
  const paths = names.map((name) => join(dirname(resolve(last)), name));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Throws config.invalid with file and line. */
export function readPasteFile(file: string): PasteFile {
  const shared: Record<string, string> = {};
  const sections = new Map<string, PasteSection & { options: Record<string, string> }>();
  for (const { section, option, written, value } of parseConfig(readConfigText(file), file)) {
    // `set` changes a value of [DEFAULT] for one section.
    const name = written.startsWith("/") ? written : option.replace(/^set\s+/, "");
    const text = value.replaceAll("%(here)s", dirname(file)).replaceAll("%(__file__)s", file).trim();
    if (section === "DEFAULT") shared[name] = text;
    else {
      const colon = section.indexOf(":");
      const type = colon < 0 ? "" : section.slice(0, colon).trim();
      const known = sections.get(section) ?? { type, name: section.slice(colon + 1).trim(), options: {} };
      known.options[name] = text;
      sections.set(section, known);
    }
  }
  return {
    file,
    sections: [...sections.values()].map((section) => ({ ...section, options: { ...shared, ...section.options } })),
  };
}
