// Who may do what to an image. Three questions, asked in this order: may the caller see it (else it does not exist for them), does the
// operator's policy allow it, is it theirs to change.
import type { Caller, Policy, PolicyTarget } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import type { Capabilities, Visibility } from "../releases/capabilities.ts";
import { visibilityPolicies } from "./attributes.ts";
import type { Image } from "./image.ts";
import type { ImageRepository, Viewer } from "./ports.ts";

/** Admins, and the project that owns it; an image nobody owns is an admin's to change. */
export function mayMutate(caller: Caller, image: Pick<Image, "owner">): boolean {
  return caller.isAdmin || (image.owner !== null && image.owner === caller.projectId);
}

/** Whether the release lets an image of this visibility have members that count. */
export function takesMembers(capabilities: Capabilities, visibility: Visibility): boolean {
  return capabilities.membersOnSharedOnly ? visibility === "shared" : visibility !== "public";
}

export function viewerOf(caller: Caller): Viewer {
  return { projectId: caller.projectId, isAdmin: caller.isAdmin };
}

type RuleDeps = { readonly policy: Policy; readonly capabilities: Pick<Capabilities, "policy"> };
type AccessDeps = RuleDeps & { readonly images: ImageRepository };

/**
 * The image as the database lets the caller see it, for what a rule of its own decides: see requireAllowed. Releases that ask the policy
 * below the API ask get_image first, whatever is to be done. Throws images.not_found, images.forbidden.
 */
export async function foundImage(deps: AccessDeps, caller: Caller, imageId: string): Promise<Image> {
  // Longer ones fit no row; asking the database about them could only fail.
  const image = imageId.length <= 36 ? await deps.images.find(imageId, viewerOf(caller)) : undefined;
  if (!image) throw imageNotFound(imageId);
  if (!deps.capabilities.policy.hidesUnreadable && !isReadable(deps, caller, image))
    throw forbidden(`You may not see image ${image.id}: policy get_image.`);
  return image;
}

/** The image, where get_image lets the caller see it too. Throws images.not_found, also for what exists and is not theirs to see. */
export async function visibleImage(deps: AccessDeps, caller: Caller, imageId: string): Promise<Image> {
  const image = await foundImage(deps, caller, imageId);
  if (deps.capabilities.policy.hidesUnreadable && !isReadable(deps, caller, image)) throw imageNotFound(imageId);
  return image;
}

/** What rule get_image says. */
export function isReadable({ policy }: Pick<RuleDeps, "policy">, caller: Caller, image: Image): boolean {
  return policy.allows("get_image", caller, policyTarget(image, caller));
}

export function imageNotFound(imageId: string): ServiceError {
  const shown = imageId.slice(0, 80);
  return new ServiceError("images.not_found", `There is no image ${shown}.`, { facts: { imageId: shown } });
}

/** Throws images.forbidden, or images.not_found to who may not see the image either. `what` completes "You may not ...". */
export function requireAllowed(deps: RuleDeps, rule: string, caller: Caller, image: Image, what: string): void {
  const { policy, capabilities } = deps;
  if (policy.allows(rule, caller, policyTarget(image, caller))) return;
  if (capabilities.policy.hidesUnreadable && !isReadable(deps, caller, image)) throw imageNotFound(image.id);
  throw forbidden(`You may not ${what}: policy ${rule}.`);
}

/** Policy and, where the policy leaves it to the service, ownership. Throws as requireAllowed. */
export function requireMutable(deps: RuleDeps, rule: string, caller: Caller, image: Image, what: string): void {
  requireAllowed(deps, rule, caller, image, what);
  requireOwn(deps, caller, image, what);
}

/** Throws images.forbidden where the policy leaves ownership to the service and the image is another project's. */
export function requireOwn(deps: Pick<RuleDeps, "policy">, caller: Caller, image: Image, what: string): void {
  if (!deps.policy.decidesOwnership && !mayMutate(caller, image))
    throw forbidden(`You may not ${what}: image ${image.id} belongs to another project.`);
}

/** Throws images.forbidden where the policy keeps this visibility to others. */
export function requireVisibilityAllowed(
  policy: Policy,
  caller: Caller,
  visibility: Visibility,
  target: PolicyTarget,
): void {
  const rule = visibilityPolicies[visibility];
  if (rule !== undefined && !policy.allows(rule, caller, target))
    throw forbidden(`You may not make an image ${visibility}: policy ${rule}.`);
}

export function forbidden(message: string): ServiceError {
  return new ServiceError("images.forbidden", message);
}

/** What rules of a policy file may refer to: the image's attributes, its owner also under Keystone's names, and its properties. */
export function policyTarget(image: Image, caller: Caller): PolicyTarget {
  return {
    ...image.properties,
    id: image.id,
    image_id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.owner,
    project_id: image.owner,
    tenant: image.owner,
    // Who sees a foreign shared image sees it as a member.
    member_id: image.visibility === "shared" && image.owner !== caller.projectId ? caller.projectId : null,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    min_disk: String(image.minDiskGb),
    min_ram: String(image.minRamMb),
    protected: image.protected ? "True" : "False",
    os_hidden: image.hidden ? "True" : "False",
  };
}
