// Who makes a request, as identity found out and as every room below it trusts.

export type Caller = {
  readonly userId: string | null;
  /** The project (Glance: tenant), which is the owner of what the caller creates; null for the admin of an unauthenticated service. */
  readonly projectId: string | null;
  /** Lower-cased. */
  readonly roles: readonly string[];
  /** What policy rule context_is_admin said. */
  readonly isAdmin: boolean;
  /** Begins with `req-`. */
  readonly requestId: string;
};

/** Decides a named rule of the operator's policy. Implemented by identity; the default is the release's own policy. */
export interface Policy {
  /** `target` carries the attributes rules may refer to, such as `owner`. */
  allows(rule: string, caller: Caller, target: Readonly<Record<string, string | null>>): boolean;
}
