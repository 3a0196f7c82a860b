// Options of glance-api.conf about the operator's policy.
import type { Config } from "../../core/config.ts";
import { optionGroup } from "../../core/options.ts";
import type { PolicyTraits } from "../../releases/policy-traits.ts";
import type { RuleSettings } from "./rule-set.ts";

export const policyOptions = optionGroup("oslo_policy", {
  policy_file: {
    type: "string",
    default: null,
    help: "The operator's rules, as YAML or JSON; a name without a folder is looked for beside the configuration files, then in ~/.glance, ~, /etc/glance and /etc. Unset: policy.yaml, else policy.json. Read again when it changes.",
  },
  policy_dirs: {
    type: "multi",
    default: ["policy.d"],
    help: "Folders of further rule files, looked for like policy_file; read after it in the order of their names, later rules win.",
  },
  policy_default_rule: {
    type: "string",
    default: "default",
    help: "The rule that stands for rules which do not exist.",
  },
  enforce_scope: {
    type: "boolean",
    default: null,
    help: "Refuse tokens of the system or of a domain where a rule is for projects (from Wallaby on; 2026.1 always does). Unset: as the release, which is true since 2023.1.",
  },
  enforce_new_defaults: {
    type: "boolean",
    default: null,
    help: "Default rules ask for the roles reader and member and say whose an image is; else everybody passes them, and owners alone change images (from Wallaby on). Unset: as the release, which is true since 2023.1.",
  },
});

export const propertyProtectionOptions = optionGroup("DEFAULT", {
  property_protection_file: {
    type: "string",
    default: null,
    help: "Who may create, read, update and delete which custom properties; looked for like policy_file, and read once, at the start. Unset: properties are their image's owner's.",
  },
  property_protection_rule_format: {
    type: "string",
    default: "roles",
    choices: ["roles", "policies"],
    help: "What that file names: roles, or a rule of the policy.",
  },
});

export const policyOptionGroups = [policyOptions, propertyProtectionOptions] as const;

export type PolicySettings = RuleSettings & {
  /** null: policy.yaml, else policy.json. */
  readonly policyFile: string | null;
  readonly policyFolders: readonly string[];
  /** Beside which the others are looked for. */
  readonly configFiles: readonly string[];
};

export function readPolicySettings(config: Pick<Config, "read" | "files">, traits: PolicyTraits): PolicySettings {
  const options = config.read(policyOptions);
  return {
    traits,
    policyFile: options.policy_file === "" ? null : options.policy_file,
    policyFolders: options.policy_dirs,
    configFiles: config.files,
    defaultRule: options.policy_default_rule,
    enforceScope: options.enforce_scope,
    newDefaults: options.enforce_new_defaults,
  };
}
