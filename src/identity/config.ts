// Options of glance-api.conf that decide who callers are. Glance's paste file is not read: its pipelines without a name and
// `fakeauth` are known by their flavor.
import type { Config } from "../core/config.ts";
import { optionGroup } from "../core/options.ts";
import { type Flavor, flavorOf } from "./identity.ts";
import { policyOptionGroups } from "./policy/config.ts";

export const pasteDeployOptions = optionGroup("paste_deploy", {
  flavor: {
    type: "string",
    default: null,
    help: "Who callers are. Unset or none: everybody is an admin without a project. fakeauth: what the X-Auth-Token user:project:role[,role] says, for tests and demonstrations on loopback.",
  },
});

export const identityOptions = optionGroup("perennial", {
  fakeauth_anywhere: {
    type: "boolean",
    default: false,
    help: "Let flavor fakeauth, which believes every token, listen on addresses other than loopback.",
  },
});

export const identityOptionGroups = [pasteDeployOptions, identityOptions, ...policyOptionGroups] as const;

export type IdentitySettings = { readonly flavor: Flavor; readonly fakeauthAnywhere: boolean };

/** Throws config.invalid for a flavor that is not served. */
export function readIdentitySettings(config: Config): IdentitySettings {
  return {
    flavor: flavorOf(config.read(pasteDeployOptions).flavor),
    fakeauthAnywhere: config.read(identityOptions).fakeauth_anywhere,
  };
}
