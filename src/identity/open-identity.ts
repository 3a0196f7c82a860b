// Makes of the configuration, the pipeline's word and the operator's policy who callers are.
import type { Policy } from "../core/caller.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { PolicyTraits } from "../releases/policy-traits.ts";
import type { CallerSource } from "./caller-source.ts";
import { callerOptions } from "./config.ts";
import { fakeauth } from "./fakeauth.ts";
import { headerIdentity } from "./header-identity.ts";
import { createIdentity, type Identity, nobody } from "./identity.ts";
import { type Keystone, openKeystone } from "./keystone/open-keystone.ts";
import { policyOptions } from "./policy/config.ts";

export type IdentityContext = {
  /** The pipeline's. */
  readonly callers: CallerSource;
  /** Options of the pipeline's authtoken. */
  readonly authtoken: Readonly<Record<string, string>>;
  readonly policy: Policy;
  readonly traits: PolicyTraits;
  readonly logger: Logger;
};

export type OpenIdentity = {
  readonly identity: Identity;
  /** Absent: callers come with no catalog. */
  readonly regions?: Pick<Keystone, "imageEndpoint">;
  /** Absent: there is no key manager. */
  readonly keys?: NonNullable<Keystone["keys"]>;
  close(): Promise<void>;
};

/** Nothing is connected to yet: a Keystone that is down keeps no node from starting. Throws config.invalid. */
export function openIdentity(config: Pick<Config, "read">, context: IdentityContext): OpenIdentity {
  const { policy, traits } = context;
  if (traits.secureRbacOption) refuseHalfSecureRbac(config, traits);
  const { source, close, regions, keys } = sourceOf(config, context);
  const adminRole = traits.adminRoleOption ? config.read(callerOptions).admin_role.trim().toLowerCase() : null;
  return {
    identity: createIdentity({ source, policy, adminRole: adminRole || null }),
    close,
    ...(regions ? { regions } : {}),
    ...(keys ? { keys } : {}),
  };
}

/** As the reference of those releases refuses to start: one half of the switch alone would be taken for the whole. */
function refuseHalfSecureRbac(config: Pick<Config, "read">, traits: PolicyTraits): void {
  const { enforce_secure_rbac: secure } = config.read(callerOptions);
  const newDefaults = config.read(policyOptions).enforce_new_defaults ?? traits.newDefaults;
  if (secure === null || secure === newDefaults) return;
  throw new ServiceError(
    "config.invalid",
    `[DEFAULT] enforce_secure_rbac is ${secure}, but [oslo_policy] enforce_new_defaults is ${newDefaults}: set both alike.`,
    { facts: { section: "DEFAULT", option: "enforce_secure_rbac", value: secure } },
  );
}

function sourceOf(
  config: Pick<Config, "read">,
  { callers, authtoken, logger }: IdentityContext,
): Omit<OpenIdentity, "identity"> & { readonly source: Identity } {
  const close = () => Promise.resolve();
  const { allow_anonymous_access: allowAnonymous } = config.read(callerOptions);
  switch (callers) {
    case "none":
      return { source: nobody, close };
    case "fakeauth":
      return { source: fakeauth, close };
    case "headers":
      return { source: headerIdentity({ allowAnonymous }), close };
    case "keystone": {
      const keystone = openKeystone(config, { authtoken, clock: systemClock, logger });
      return {
        source: keystone.identity({ allowAnonymous }),
        regions: keystone,
        ...(keystone.keys ? { keys: keystone.keys } : {}),
        close: () => keystone.close(),
      };
    }
  }
}
