// Who may do what with metadata definitions. Asked in this order: may the caller see the namespace (else it does not exist for them), does
// the operator's policy allow it, and, where a release leaves that to the service, is the namespace theirs.
import type { Caller, Policy, PolicyTarget } from "../core/caller.ts";
import type { PolicyTraits } from "../releases/policy-traits.ts";
import { isName } from "./documents.ts";
import { forbidden, notFound } from "./failures.ts";
import type { Namespace } from "./metadef.ts";
import type { MetadefRepository } from "./ports.ts";

export type AccessDeps = {
  readonly repository: MetadefRepository;
  readonly policy: Policy;
  readonly traits: PolicyTraits;
};

/** Public ones are everybody's to see, private ones their project's and admins'. */
function isVisible(caller: Caller, { visibility, owner }: Namespace): boolean {
  return caller.isAdmin || visibility === "public" || owner === caller.projectId;
}

/**
 * The namespace, for what a rule of its own decides. Releases that ask the policy below the API ask get_metadef_namespace first, whatever
 * is to be done. Throws metadefs.not_found, also for what the caller may not see, and metadefs.forbidden.
 */
export async function foundNamespace(deps: AccessDeps, caller: Caller, name: string): Promise<Namespace> {
  const namespace = isName(name) ? await deps.repository.find(name) : undefined;
  if (!namespace || !isVisible(caller, namespace)) throw notFound("namespace", name);
  if (!deps.traits.hidesUnreadable) requireAllowed(deps, "get_metadef_namespace", caller, namespace);
  return namespace;
}

/** `namespace`: null for what concerns none, or one that is to be made. Throws metadefs.forbidden, or metadefs.not_found to who may not see it. */
export function requireAllowed(deps: AccessDeps, rule: string, caller: Caller, namespace: Namespace | null): void {
  if (isAllowed(deps, rule, caller, namespace)) return;
  const { hidesUnreadable } = deps.traits;
  if (namespace && hidesUnreadable && !isAllowed(deps, "get_metadef_namespace", caller, namespace))
    throw notFound("namespace", namespace.namespace);
  throw forbidden(`You may not do this to metadata definitions: policy ${rule}.`);
}

export function isAllowed(
  { policy }: Pick<AccessDeps, "policy">,
  rule: string,
  caller: Caller,
  namespace: Namespace | null,
): boolean {
  const target: PolicyTarget = namespace
    ? { project_id: namespace.owner, visibility: namespace.visibility ?? "private" }
    : { project_id: caller.projectId };
  return policy.allows(rule, caller, target);
}

/** For adding to a namespace and changing it. Throws as requireAllowed. */
export function requireChangeable(deps: AccessDeps, rule: string, caller: Caller, namespace: Namespace): void {
  requireAllowed(deps, rule, caller, namespace);
  requireOwn(deps, caller, namespace);
}

/** For deleting a namespace and things in it, which had no rules at first. Throws as requireAllowed. */
export function requireRemovable(
  deps: AccessDeps,
  rules: readonly string[],
  caller: Caller,
  namespace: Namespace,
): void {
  if (deps.traits.metadefRemoveRules) for (const rule of rules) requireAllowed(deps, rule, caller, namespace);
  requireOwn(deps, caller, namespace);
}

function requireOwn({ traits }: AccessDeps, caller: Caller, { namespace, owner }: Namespace): void {
  if (traits.metadefOwnership && !caller.isAdmin && owner !== caller.projectId)
    throw forbidden(`You may not change namespace ${namespace}: it belongs to another project.`);
}
