// The rules in effect: a release's defaults with the operator's own rules over them, every one read, and none leading in a circle.
import type { Caller, PolicyTarget } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import type { PolicyTraits } from "../../releases/policy-traits.ts";
import { type Check, rulesIn } from "./check.ts";
import type { DefaultRule } from "./defaults/default-rule.ts";
import { rulesInCode } from "./defaults/in-code.ts";
import { rulesBelowAnyFile, rulesOfInstalledFile } from "./defaults/in-file.ts";
import { evaluate } from "./evaluate.ts";
import type { OperatorRule } from "./operator-rules.ts";
import { parseRule } from "./parse-rule.ts";

export type RuleSettings = {
  readonly traits: PolicyTraits;
  /** null: as the release has it. */
  readonly newDefaults: boolean | null;
  readonly enforceScope: boolean | null;
  /** policy_default_rule: what stands for rules that do not exist. */
  readonly defaultRule: string;
};

export type RuleSet = {
  readonly decidesOwnership: boolean;
  allows(rule: string, caller: Caller, target: PolicyTarget): boolean;
  has(rule: string): boolean;
  /** What the operator should know, a line each. */
  readonly warnings: readonly string[];
};

/** `operatorRules`: null where there is no file of the operator's. Throws config.invalid where rules ask each other in a circle. */
export function buildRuleSet(settings: RuleSettings, operatorRules: readonly OperatorRule[] | null): RuleSet {
  const { traits } = settings;
  const own = new Map((operatorRules ?? []).map((rule) => [rule.name, rule]));
  const newDefaults = traits.personas && (settings.newDefaults ?? traits.newDefaults);
  const scoped = scopeEnforced(settings);
  const defaults = defaultsOf(traits, operatorRules !== null);
  const rules = new Map<string, Check>();
  for (const rule of defaults) rules.set(rule.name, defaultCheck(rule, newDefaults));
  for (const { name, check } of own.values()) rules.set(name, check);
  const find = (name: string) => rules.get(name) ?? rules.get(settings.defaultRule);
  refuseCircles(rules, find, own);
  const projectsOnly = new Set(scoped ? defaults.filter((rule) => rule.projectsOnly).map(({ name }) => name) : []);
  return {
    decidesOwnership: newDefaults,
    allows(name, caller, target) {
      if (projectsOnly.has(name) && (caller.systemScope || caller.domainId)) return false;
      const check = find(name);
      return check !== undefined && evaluate(check, { caller, target, rule: find });
    },
    has: (name) => rules.has(name),
    warnings: warningsOf(rules, own, new Set(knownNames(traits))),
  };
}

function defaultsOf(traits: PolicyTraits, hasFile: boolean): readonly DefaultRule[] {
  if (traits.defaultsIn === "code") return rulesInCode(traits);
  return hasFile ? rulesBelowAnyFile : rulesOfInstalledFile(traits);
}

function knownNames(traits: PolicyTraits): readonly string[] {
  const rules = traits.defaultsIn === "code" ? rulesInCode(traits) : rulesOfInstalledFile(traits);
  return rules.map(({ name }) => name);
}

function scopeEnforced({ traits, enforceScope }: RuleSettings): boolean {
  if (traits.scope === "never" || traits.scope === "always") return traits.scope === "always";
  return enforceScope ?? traits.scope === "option-on";
}

function defaultCheck(rule: DefaultRule, newDefaults: boolean): Check {
  const check = parseRule(rule.rule);
  if (newDefaults || rule.legacy === undefined) return check;
  return { kind: "or", checks: [check, parseRule(rule.legacy)] };
}

function refuseCircles(
  rules: ReadonlyMap<string, Check>,
  find: (name: string) => Check | undefined,
  own: ReadonlyMap<string, OperatorRule>,
): void {
  const done = new Set<Check>();
  const visit = (name: string, path: readonly string[], above: ReadonlySet<Check>) => {
    const check = find(name);
    if (!check || done.has(check)) return;
    if (above.has(check)) throw circle([...path, name], own);
    for (const next of rulesIn(check)) visit(next, [...path, name], new Set([...above, check]));
    done.add(check);
  };
  for (const name of rules.keys()) visit(name, [], new Set());
}

function circle(path: readonly string[], own: ReadonlyMap<string, OperatorRule>): ServiceError {
  const rule = path.map((name) => own.get(name)).find((one) => one !== undefined);
  const where = rule ? `${rule.file}, line ${rule.line}: ` : "";
  return new ServiceError(
    "config.invalid",
    `${where}rules of policy ask each other in a circle: ${path.join(" -> ")}`,
    {
      facts: rule ? { file: rule.file, line: rule.line, rule: rule.name } : {},
    },
  );
}

/** A rule of a name nobody asks for is most often a misspelt one, and then something is open that was meant to be closed. */
function warningsOf(
  rules: ReadonlyMap<string, Check>,
  own: ReadonlyMap<string, OperatorRule>,
  known: ReadonlySet<string>,
): readonly string[] {
  const asked = new Set([...rules.values()].flatMap(rulesIn));
  const warnings: string[] = [];
  for (const { name, file, line, check } of own.values()) {
    const where = `${file}, line ${line}: `;
    if (!known.has(name) && !asked.has(name))
      warnings.push(`${where}rule ${name} is none that this release asks for, and no other rule refers to it`);
    for (const next of rulesIn(check))
      if (!rules.has(next)) warnings.push(`${where}rule ${name} refers to rule ${next}, which does not exist`);
  }
  return warnings;
}
