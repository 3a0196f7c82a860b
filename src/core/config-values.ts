// Turns the text of an option into its value and says in words what is allowed: the one place for the rules of the option types.
import type { OptionSpec } from "./options.ts";

export type ConfigValue = string | number | boolean | readonly string[] | null;

/** A value, or what would have been allowed instead. */
export type Converted =
  | { readonly ok: true; readonly value: ConfigValue }
  | { readonly ok: false; readonly allowed: string };

const booleans: Readonly<Record<string, boolean>> = {
  1: true,
  yes: true,
  true: true,
  on: true,
  0: false,
  no: false,
  false: false,
  off: false,
};

/** `texts`: all assignments of the option in the order read; all but `multi` take the last one. */
export function convertOption(spec: OptionSpec, texts: readonly string[]): Converted {
  const text = texts.at(-1) ?? "";
  switch (spec.type) {
    case "string":
      if (spec.choices && !spec.choices.includes(text)) return refused(spec);
      return { ok: true, value: text };
    case "integer":
    case "number": {
      // An empty number means "unset", which only an option that may be unset can take.
      if (text === "") return spec.default === null ? { ok: true, value: null } : refused(spec);
      const pattern = spec.type === "integer" ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
      const value = Number(text);
      const exact = spec.type === "number" ? Number.isFinite(value) : Number.isSafeInteger(value);
      if (!pattern.test(text) || !exact || value < (spec.min ?? -Infinity) || value > (spec.max ?? Infinity))
        return refused(spec);
      return { ok: true, value };
    }
    case "boolean": {
      const value = booleans[text.toLowerCase()];
      return value === undefined ? refused(spec) : { ok: true, value };
    }
    case "list":
      return { ok: true, value: splitList(text) };
    case "multi":
      return { ok: true, value: texts };
  }
}

/** What an option takes, in words, for errors and the manual. */
export function allowedWords(spec: OptionSpec): string {
  switch (spec.type) {
    case "string":
      return spec.choices ? `one of ${spec.choices.map((choice) => choice || '""').join(", ")}` : "any text";
    case "integer":
    case "number": {
      const kind = spec.type === "integer" ? "an integer" : "a number";
      if (spec.min !== undefined && spec.max !== undefined) return `${kind} from ${spec.min} to ${spec.max}`;
      if (spec.min !== undefined) return `${kind} of ${spec.min} or more`;
      return spec.max === undefined ? kind : `${kind} of ${spec.max} or less`;
    }
    case "boolean":
      return "true or false (1, yes, on or 0, no, off)";
    case "list":
      return "values separated by commas, in brackets or not";
    case "multi":
      return "any text; may stand several times";
  }
}

/** A value as an operator would write it; null as nothing. */
export function valueText(value: ConfigValue): string {
  if (value === null) return "";
  return typeof value === "object" ? value.join(",") : String(value);
}

function splitList(text: string): readonly string[] {
  const inner = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const items = inner.split(",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}

function refused(spec: OptionSpec): Converted {
  return { ok: false, allowed: allowedWords(spec) };
}
