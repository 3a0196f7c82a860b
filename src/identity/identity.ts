// The door of this room: finds out who makes a request. Where that is known from stands beside this file, one way in a file.
import type { IncomingHttpHeaders } from "node:http";
import type { Caller, Policy } from "../core/caller.ts";

export interface Identity {
  /** Throws identity.unauthenticated where the headers prove nobody; the fact `challenge` then is the value of WWW-Authenticate. */
  authenticate(headers: IncomingHttpHeaders, requestId: string): Caller | Promise<Caller>;
}

/** Makes the callers found elsewhere admins where the operator's policy says they are. `adminRole`: a role that does, too; lower-cased. */
export function createIdentity(options: { source: Identity; policy: Policy; adminRole?: string | null }): Identity {
  const { policy, adminRole = null } = options;
  const judged = (caller: Caller) => {
    const named = adminRole !== null && caller.roles.includes(adminRole);
    return named || policy.allows("context_is_admin", caller, {}) ? { ...caller, isAdmin: true } : caller;
  };
  return {
    authenticate(headers, requestId) {
      const caller = options.source.authenticate(headers, requestId);
      return caller instanceof Promise ? caller.then(judged) : judged(caller);
    },
  };
}

/** Without identity everybody is an admin of no project, and images belong to nobody. */
export const nobody: Identity = {
  authenticate: (_headers, requestId) => ({
    userId: null,
    projectId: null,
    roles: ["admin"],
    isAdmin: true,
    requestId,
  }),
};
