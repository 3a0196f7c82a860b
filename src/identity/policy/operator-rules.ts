// Reads one file of the operator's rules: YAML, of which JSON is a part. Every error names file, line and rule.
import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { ServiceError } from "../../core/errors.ts";
import { type Check, everyone } from "./check.ts";
import { parseRule } from "./parse-rule.ts";
import { RuleSyntaxError } from "./tokens.ts";

export type OperatorRule = {
  readonly name: string;
  readonly check: Check;
  readonly file: string;
  readonly line: number;
};

type Read = { readonly rules: readonly OperatorRule[]; readonly warnings: readonly string[] };

/** A later rule of the same name wins, as in the reference. Throws config.invalid. */
export function readOperatorRules(text: string, file: string): Read {
  const lines = new LineCounter();
  // The reference reads YAML 1.1. The same name twice is its last one's there; here with a warning.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, version: "1.1" });
  const [mistake] = document.errors;
  if (mistake) {
    const [problem = "it is no YAML"] = mistake.message.split(/ at line |\n/);
    throw invalid(file, lines.linePos(mistake.pos[0]).line, null, problem);
  }
  const { contents } = document;
  // Nothing but comments, as installed.
  if (contents === null || (isScalar(contents) && contents.value === null)) return { rules: [], warnings: [] };
  if (!isMap<Node, Node | null>(contents)) throw invalid(file, 1, null, "it must hold names with their rules");
  const rules: OperatorRule[] = [];
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const { key, value } of contents.items) {
    const line = lines.linePos(key.range?.[0] ?? 0).line;
    if (!isScalar(key) || typeof key.value !== "string") throw invalid(file, line, null, "a rule's name must be text");
    const name = key.value;
    if (seen.has(name))
      warnings.push(`${file}, line ${line}: rule ${name} stands in the file twice; the last one counts`);
    seen.add(name);
    rules.push({ name, file, line, check: checkOf(value, { file, line, name, warnings }) });
  }
  return { rules, warnings };
}

type Place = { readonly file: string; readonly line: number; readonly name: string; readonly warnings: string[] };

function checkOf(value: Node | null, { file, line, name, warnings }: Place): Check {
  if (isAlias(value)) throw invalid(file, line, name, "aliases are not supported");
  // Without quotes YAML takes ! for a tag of an empty text, and an empty rule lets everybody pass.
  if (isScalar(value) && value.tag === "!") throw invalid(file, line, name, 'write the rule in quotes: "!"');
  const rule: unknown = value?.toJSON() ?? null;
  if (rule === null) {
    warnings.push(`${file}, line ${line}: rule ${name} is empty and lets everybody pass; write "@" if that is meant`);
    return everyone;
  }
  try {
    return parseRule(rule);
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    const at = error.position === null ? "" : `, at character ${error.position}`;
    throw invalid(file, line, name, `${error.message}${at}`);
  }
}

function invalid(file: string, line: number, rule: string | null, why: string): ServiceError {
  const message = `${file}, line ${line}: ${rule === null ? "" : `rule ${rule}: `}${why}`;
  return new ServiceError("config.invalid", message, { facts: { file, line, rule } });
}
