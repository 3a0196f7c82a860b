// Makes of a configuration what the operator allows: the policy, and who may touch which custom properties.
import type { PropertyProtections } from "../../core/caller.ts";
import type { Config } from "../../core/config.ts";
import { findBesideConfig } from "../../core/config-files.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { propertyProtectionOptions, readPolicySettings } from "./config.ts";
import { OperatorPolicy } from "./operator-policy.ts";
import { openPropertyProtections } from "./property-protections.ts";

export type OperatorRules = {
  readonly policy: OperatorPolicy;
  /** null where no property is protected. */
  readonly protections: PropertyProtections | null;
};

/** Throws config.invalid, naming file and line. */
export function openOperatorRules(config: Pick<Config, "read" | "files">, capabilities: Capabilities): OperatorRules {
  const traits = capabilities.policy;
  const policy = new OperatorPolicy(readPolicySettings(config, traits));
  const options = config.read(propertyProtectionOptions);
  const { property_protection_file: name } = options;
  if (name === null || name === "") return { policy, protections: null };
  const file = findBesideConfig(name, config.files);
  if (file === undefined)
    throw new ServiceError("config.invalid", `[DEFAULT] property_protection_file ${name} does not exist.`, {
      facts: { section: "DEFAULT", option: "property_protection_file", file: name },
    });
  const protections = openPropertyProtections({
    file,
    format: options.property_protection_rule_format === "policies" ? "policies" : "roles",
    policy,
    ownProperties: traits.unprotectsOwnProperties ? /^os_glance/ : null,
  });
  return { policy, protections };
}
