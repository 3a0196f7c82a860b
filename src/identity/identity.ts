// The door of this room: finds out who makes a request. Flavors stand beside this file; a Keystone flavor will implement the same
// interface, asynchronously.
import type { IncomingHttpHeaders } from "node:http";
import type { Caller, Policy } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import { authenticateFakeauth } from "./fakeauth.ts";

export interface Identity {
  /** Throws identity.unauthenticated where the headers prove nobody; the fact `challenge` then is the value of WWW-Authenticate. */
  authenticate(headers: IncomingHttpHeaders, requestId: string): Caller | Promise<Caller>;
}

/** The values of `[paste_deploy] flavor` that are served. `none` is Glance's pipeline without a name. */
export const flavors = ["none", "fakeauth"] as const;
export type Flavor = (typeof flavors)[number];

/** Throws config.invalid, naming the flavors there are. */
export function flavorOf(text: string | null): Flavor {
  const name = text === null || text.trim() === "" ? "none" : text.trim();
  const flavor = flavors.find((one) => one === name);
  if (flavor) return flavor;
  throw new ServiceError(
    "config.invalid",
    `[paste_deploy] flavor is "${name}", which this version does not serve. Supported: ${flavors.join(", ")} (unset is none).`,
    { facts: { section: "paste_deploy", option: "flavor", value: name } },
  );
}

export function createIdentity(options: { flavor: Flavor; policy: Policy }): Identity {
  const authenticate = options.flavor === "fakeauth" ? authenticateFakeauth : authenticateNobody;
  return {
    authenticate(headers, requestId) {
      const caller = authenticate(headers, requestId);
      return options.policy.allows("context_is_admin", caller, {}) ? { ...caller, isAdmin: true } : caller;
    },
  };
}

/** Without identity everybody is an admin of no project, and images belong to nobody. */
function authenticateNobody(_headers: IncomingHttpHeaders, requestId: string): Caller {
  return { userId: null, projectId: null, roles: ["admin"], isAdmin: true, requestId };
}
