// Options of glance-api.conf that decide who callers are, beside the pipeline's.
import { optionGroup } from "../core/options.ts";
import { keystoneOptions } from "./keystone/config.ts";
import { barbicanOptions, keyManagerOptions } from "./keystone/key-manager.ts";
import { limitOptions } from "./keystone/limits.ts";
import { policyOptionGroups } from "./policy/config.ts";

export const identityOptions = optionGroup("perennial", {
  fakeauth_anywhere: {
    type: "boolean",
    default: false,
    help: "Let flavor fakeauth, which believes every token, listen on addresses other than loopback.",
  },
});

export const callerOptions = optionGroup("DEFAULT", {
  allow_anonymous_access: {
    type: "boolean",
    default: false,
    help: "Let those who show no valid token look around, without any role: calls that change something are refused with 403.",
  },
  admin_role: {
    type: "string",
    default: "admin",
    help: "A role that makes an admin beside what policy rule context_is_admin says. Up to Victoria; later releases go by the policy alone.",
  },
  enforce_secure_rbac: {
    type: "boolean",
    default: null,
    help: "From Wallaby to Zed: has to be as [oslo_policy] enforce_new_defaults where it is set. Other releases do not read it.",
  },
});

export const identityOptionGroups = [
  identityOptions,
  callerOptions,
  keystoneOptions,
  limitOptions,
  keyManagerOptions,
  barbicanOptions,
  ...policyOptionGroups,
] as const;
