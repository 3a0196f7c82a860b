// The policy a release comes with, for tests and for whoever has no configuration.
import type { Policy } from "../../core/caller.ts";
import type { PolicyTraits } from "../../releases/policy-traits.ts";
import { buildRuleSet } from "./rule-set.ts";

export function defaultPolicyOf(traits: PolicyTraits): Policy {
  return buildRuleSet({ traits, newDefaults: null, enforceScope: null, defaultRule: "default" }, null);
}
