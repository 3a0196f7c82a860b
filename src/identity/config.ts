// Options of glance-api.conf that decide who callers are, beside the pipeline's.
import { optionGroup } from "../core/options.ts";
import { policyOptionGroups } from "./policy/config.ts";

export const identityOptions = optionGroup("perennial", {
  fakeauth_anywhere: {
    type: "boolean",
    default: false,
    help: "Let flavor fakeauth, which believes every token, listen on addresses other than loopback.",
  },
});

export const identityOptionGroups = [identityOptions, ...policyOptionGroups] as const;
