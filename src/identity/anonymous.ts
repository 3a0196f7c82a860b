// Whoever shows no valid token, where [DEFAULT] allow_anonymous_access lets them look around.
import type { Caller } from "../core/caller.ts";

export function anonymous(requestId: string): Caller {
  return { userId: null, projectId: null, roles: [], isAdmin: false, readOnly: true, requestId };
}
