// Reads property_protection_file: INI whose section names are Python's regular expressions, each with create, read, update and delete.
import { readFileSync } from "node:fs";
import type { PropertyAction } from "../../core/caller.ts";
import { errorText, ServiceError } from "../../core/errors.ts";

export const propertyActions = ["create", "read", "update", "delete"] as const satisfies readonly PropertyAction[];

export type ProtectionSection = {
  readonly line: number;
  readonly pattern: RegExp;
  /** Roles, or one rule; `@` is everybody, `!` and nothing at all nobody. */
  readonly names: Readonly<Record<PropertyAction, readonly string[]>>;
};

type Draft = { readonly line: number; readonly pattern: RegExp; readonly values: Map<string, Value> };
type Value = { readonly line: number; text: string };

/** Throws config.invalid, naming file and line. */
export function readProtectionFile(file: string, format: "roles" | "policies"): readonly ProtectionSection[] {
  return parseProtections(textOf(file), file, format);
}

export function parseProtections(
  text: string,
  file: string,
  format: "roles" | "policies",
): readonly ProtectionSection[] {
  const drafts = draftsOf(text, file);
  if (drafts.length === 0)
    throw invalid(file, 1, "it holds no section, which would keep every property from everybody");
  return drafts.map(({ line, pattern, values }) => {
    const names = propertyActions.map((action) => {
      const value = values.get(action);
      if (!value) throw invalid(file, line, `the section lacks ${action}`);
      return [action, namesOf(value, file, format)] as const;
    });
    return { line, pattern, names: Object.fromEntries(names) as ProtectionSection["names"] };
  });
}

function draftsOf(text: string, file: string): readonly Draft[] {
  const drafts: Draft[] = [];
  let last: Value | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    if (/^\s*([#;]|$)/.test(raw)) continue;
    const section = /^\[(.+)\]\s*$/.exec(raw)?.[1];
    const draft = drafts.at(-1);
    if (section !== undefined) {
      drafts.push({ line, pattern: patternOf(section, file, line), values: new Map() });
      last = null;
      continue;
    }
    if (/^\s/.test(raw) && last) {
      last.text += ` ${raw.trim()}`;
      continue;
    }
    const [, name = "", value = ""] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(raw.trim()) ?? [];
    if (name === "" || !draft) throw invalid(file, line, "it is neither a [section] nor name = value inside one");
    last = { line, text: value.trim() };
    draft.values.set(name.toLowerCase(), last);
  }
  return drafts;
}

function namesOf({ text, line }: Value, file: string, format: "roles" | "policies"): readonly string[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.includes("@") && names.includes("!"))
    throw invalid(file, line, "@ (everybody) and ! (nobody) exclude each other");
  if (format === "policies" && names.length > 1)
    throw invalid(file, line, "one rule of the policy is allowed here; join several in the policy file");
  return names;
}

/** Python's spelling of what both know; what JavaScript does not know is refused rather than read as something else. */
function patternOf(source: string, file: string, line: number): RegExp {
  const flags = /^\(\?([is]+)\)/.exec(source)?.[1] ?? "";
  const rest = flags === "" ? source : source.slice(flags.length + 3);
  const translated = rest
    .replaceAll(/\(\?P</g, "(?<")
    .replaceAll(/\\(.)/g, (whole, letter: string) => ({ A: "^", Z: "$" })[letter] ?? whole);
  try {
    return new RegExp(translated, flags);
  } catch (error) {
    throw invalid(file, line, `[${source}] is no regular expression: ${errorText(error)}`);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const message = `[DEFAULT] property_protection_file cannot be read: ${errorText(error)}`;
    throw new ServiceError("config.invalid", message, { facts: { file }, cause: error });
  }
}

function invalid(file: string, line: number, why: string): ServiceError {
  return new ServiceError("config.invalid", `${file}, line ${line}: ${why}`, { facts: { file, line } });
}
