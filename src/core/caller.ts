// Who makes a request, as identity found out and as every room below it trusts.

export type Caller = {
  readonly userId: string | null;
  /** The project (Glance: tenant), which is the owner of what the caller creates; null for the admin of an unauthenticated service. */
  readonly projectId: string | null;
  /** Lower-cased. */
  readonly roles: readonly string[];
  /** Roles of the service that forwards the request, from its own token; lower-cased. */
  readonly serviceRoles?: readonly string[];
  /** `all` where the token is for the whole system and for no project. */
  readonly systemScope?: string | null;
  /** The domain a token is for, where it is for no project. */
  readonly domainId?: string | null;
  readonly userDomainId?: string | null;
  readonly projectDomainId?: string | null;
  /** What policy rule context_is_admin said. */
  readonly isAdmin: boolean;
  /** Somebody who shows no token and may only look around (allow_anonymous_access). */
  readonly readOnly?: true;
  /** Begins with `req-`. */
  readonly requestId: string;
};

/** What rules may refer to by `%(name)s`, such as `owner`; flags are `True` and `False`, as Python writes them. */
export type PolicyTarget = Readonly<Record<string, string | null>>;

/** Decides a named rule of the operator's policy. Implemented by identity; the default is the release's own policy. */
export interface Policy {
  allows(rule: string, caller: Caller, target: PolicyTarget): boolean;
  /**
   * The rules themselves say whose an image is to change (the defaults since 2023.1). Absent or false: that is asked beside them, and an
   * image is changed by its owner and by admins alone.
   */
  readonly decidesOwnership?: boolean;
}

export type PropertyAction = "create" | "read" | "update" | "delete";

/** Which callers may do what with custom properties of which names (property_protection_file). Implemented by identity. */
export interface PropertyProtections {
  allows(action: PropertyAction, property: string, caller: Caller): boolean;
}
