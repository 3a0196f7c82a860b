// Reads glance-api.conf as oslo.config does and hands out typed, validated sections.
// The INI dialect stands in config-parser.ts, the option types in config-values.ts, where files are looked for in config-files.ts.
import assert from "node:assert/strict";
import { type ConfigEntry, canonicalOption, canonicalSection, parseConfig, readConfigText } from "./config-parser.ts";
import { type ConfigValue, convertOption, valueText } from "./config-values.ts";
import { errorText, ServiceError } from "./errors.ts";
import type { GroupValues, OptionGroup, OptionSpec } from "./options.ts";

/** A set of configuration files, read and validated against every declared option group. */
export interface Config {
  /** The values of one group, defaults filled in. Bad values were refused when the files were read. */
  read<G extends OptionGroup>(group: G): GroupValues<G>;
  /** Files read, in order; later ones win. */
  readonly files: readonly string[];
  /** The same with their texts as they were read: what another process needs to see exactly this configuration. */
  readonly sources: readonly ConfigSource[];
  /** Options nobody declared (a warning each), as `section.option (file)`. Unknown options of [perennial] were refused. */
  readonly unknown: readonly string[];
  /** Every declared option as it is in effect, for `--show-config`; secrets are masked. */
  readonly effective: readonly EffectiveOption[];
}

/** A file and what stood in it. */
export type ConfigSource = { readonly file: string; readonly text: string };

export type EffectiveOption = {
  readonly section: string;
  readonly option: string;
  readonly text: string;
  /** `default`, or `file:line`. */
  readonly origin: string;
};

/** The section that is ours alone: a misspelt option there is a mistake, never another program's. */
const ownSection = "perennial";
/** Where a reference leads through more options than this, it leads in a circle. */
const substitutionDepthMax = 10;

type Declared = { readonly section: string; readonly option: string; readonly spec: OptionSpec };
type Found = { readonly texts: readonly string[]; readonly origin: ConfigEntry | null };

/** What a configuration may hold. */
export type ConfigOptions = {
  readonly groups: readonly OptionGroup[];
  /** Groups of sections that the operator names, such as one for every store; asked once the fixed ones are read. */
  readonly sections?: (config: Config) => readonly OptionGroup[];
};

/**
 * Reads the files in order (a source that was read already is taken as it is) and validates every option of `groups` and `sections`.
 * Throws config.invalid naming file, section, option, value and what is allowed.
 */
export function loadConfig(options: ConfigOptions & { files: readonly (string | ConfigSource)[] }): Config {
  const sources = options.files.map((file) => (typeof file === "string" ? { file, text: readConfigText(file) } : file));
  const config = readGroups(sources, options.groups);
  const named = options.sections?.(config) ?? [];
  return named.length === 0 ? config : readGroups(sources, [...options.groups, ...named]);
}

function readGroups(sources: readonly ConfigSource[], groups: readonly OptionGroup[]): Config {
  const entries = sources.flatMap(({ file, text }) => parseConfig(text, file));
  const declared = [...new Set(groups)].flatMap((group) =>
    Object.entries(group.options).map(
      ([option, spec]): Declared => ({
        section: canonicalSection(group.section),
        option: canonicalOption(option),
        spec,
      }),
    ),
  );
  const source = new Assignments(entries, declared);
  const unknown = source.unknown();
  for (const entry of unknown) {
    if (entry.section !== ownSection) continue;
    const known = declared.filter((one) => one.section === ownSection).map((one) => one.option);
    throw invalid(entry, `is not an option; known in this section: ${[...new Set(known)].sort().join(", ")}`);
  }
  const values = new Map<string, ConfigValue>();
  const effective = declared.map((one): EffectiveOption => {
    const found = source.find(one);
    const value = source.value(one, found);
    values.set(`${one.section}.${one.option}`, value);
    const text = one.spec.secret && value !== null ? "****" : valueText(value);
    const origin = found.origin ? `${found.origin.file}:${found.origin.line}` : "default";
    return { section: one.section, option: one.option, text, origin };
  });
  const names = unknown.map((entry) => `${entry.section}.${entry.option} (${entry.file})`);
  return {
    files: sources.map((source) => source.file),
    sources,
    unknown: names,
    effective,
    read<G extends OptionGroup>(group: G) {
      const section = canonicalSection(group.section);
      const read = Object.keys(group.options).map((option) => {
        const name = `${section}.${canonicalOption(option)}`;
        assert(values.has(name), `${name} was not declared when the configuration was read`);
        return [option, values.get(name)];
      });
      // The entries were made from the group's own options by their own specs, which is what GroupValues says.
      return Object.fromEntries(read) as GroupValues<G>;
    },
  };
}

/** The assignments of all files, found by declared option, with deprecated names and `$references` followed. */
class Assignments {
  readonly #byName = new Map<string, ConfigEntry[]>();
  readonly #declared: readonly Declared[];

  constructor(entries: readonly ConfigEntry[], declared: readonly Declared[]) {
    this.#declared = declared;
    for (const entry of entries) {
      const name = `${entry.section}.${entry.option}`;
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), entry]);
    }
  }

  find(declared: Declared): Found {
    // The present name wins over deprecated ones, whichever file they stand in.
    for (const name of namesOf(declared)) {
      const entries = this.#byName.get(name);
      if (entries) return { texts: entries.map((entry) => entry.value), origin: entries.at(-1) ?? null };
    }
    return { texts: [], origin: null };
  }

  value(declared: Declared, found: Found): ConfigValue {
    const { spec } = declared;
    if (!found.origin) {
      if (typeof spec.default === "string") return this.#substitute(spec.default, declared.section, declared, 0);
      return spec.default;
    }
    try {
      const texts = found.texts.map((text) => this.#substitute(text, declared.section, declared, 0));
      const converted = convertOption(spec, texts);
      if (converted.ok) return converted.value;
      const shown = spec.secret ? "its value" : JSON.stringify(texts.at(-1) ?? "");
      throw invalid(found.origin, `${shown} is not allowed; allowed: ${converted.allowed}`);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      // What looks like a reference may be a part of a password.
      const why = spec.secret
        ? "a $reference in it leads nowhere (a dollar sign itself is written $$)"
        : errorText(error);
      throw invalid(found.origin, why);
    }
  }

  unknown(): readonly ConfigEntry[] {
    const known = new Set(this.#declared.flatMap((one) => namesOf(one)));
    return [...this.#byName].flatMap(([name, entries]) => (known.has(name) ? [] : entries.slice(-1)));
  }

  /** `$name`, `${name}`, `$section.name`; `$$` and `\$` stand for a dollar sign. An unset option gives nothing. */
  #substitute(text: string, section: string, declared: Declared, depth: number): string {
    if (!text.includes("$")) return text;
    const pattern = /\\\$|\$\$|\$(?:\{([_a-z][._a-z0-9]*)\}|([_a-z][._a-z0-9]*))/gi;
    return text.replace(pattern, (match, braced?: string, bare?: string) => {
      const reference = braced ?? bare;
      if (reference === undefined) return "$";
      if (depth >= substitutionDepthMax) throw new Error(`${match} refers to itself`);
      return this.#resolve(reference, section, declared, depth + 1);
    });
  }

  #resolve(reference: string, section: string, declared: Declared, depth: number): string {
    const dot = reference.indexOf(".");
    const candidates =
      dot > 0
        ? [{ section: canonicalSection(reference.slice(0, dot)), option: reference.slice(dot + 1) }]
        : [
            { section, option: reference },
            { section: "DEFAULT", option: reference },
          ];
    for (const candidate of candidates) {
      const target = this.#declared.find((one) => one.section === candidate.section && one.option === candidate.option);
      const written = target
        ? this.find(target).texts.at(-1)
        : this.#byName.get(`${candidate.section}.${candidate.option}`)?.at(-1)?.value;
      if (written === undefined && !target) continue;
      const text = written ?? valueText(target?.spec.default ?? null);
      return this.#substitute(text, candidate.section, declared, depth);
    }
    throw new Error(`it refers to $${reference}, which is no option (a dollar sign itself is written $$)`);
  }
}

function namesOf(declared: Declared): readonly string[] {
  const deprecated = (declared.spec.deprecated ?? []).map((name) => {
    const dot = name.indexOf(".");
    return `${canonicalSection(name.slice(0, dot))}.${canonicalOption(name.slice(dot + 1))}`;
  });
  return [`${declared.section}.${declared.option}`, ...deprecated];
}

function invalid(entry: ConfigEntry, why: string): ServiceError {
  const { section, option, file, line } = entry;
  return new ServiceError("config.invalid", `${file}, line ${line}: [${section}] ${option}: ${why}`, {
    facts: { file, line, section, option },
  });
}
