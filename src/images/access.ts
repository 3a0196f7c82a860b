// Who may do what to an image. Three questions, asked in this order: may the caller see it (else it does not exist for them), does the
// operator's policy allow it, is it theirs to change.
import type { Caller, Policy } from "../core/caller.ts";
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

type AccessDeps = { readonly images: ImageRepository; readonly policy: Policy };

/** The image as the caller may see it. Throws images.not_found, also for what exists and is not theirs to see. */
export async function visibleImage({ images, policy }: AccessDeps, caller: Caller, imageId: string): Promise<Image> {
  // Longer ones fit no row; asking the database about them could only fail.
  const image = imageId.length <= 36 ? await images.find(imageId, viewerOf(caller)) : undefined;
  if (image && policy.allows("get_image", caller, policyTarget(image))) return image;
  throw imageNotFound(imageId);
}

export function imageNotFound(imageId: string): ServiceError {
  const shown = imageId.slice(0, 80);
  return new ServiceError("images.not_found", `There is no image ${shown}.`, { facts: { imageId: shown } });
}

/** Throws images.forbidden. `what` completes "You may not ...". */
export function requireAllowed(policy: Policy, rule: string, caller: Caller, image: Image, what: string): void {
  if (!policy.allows(rule, caller, policyTarget(image))) throw forbidden(`You may not ${what}: policy ${rule}.`);
}

/** Policy and ownership together, as every change of an image needs them. Throws images.forbidden. */
export function requireMutable(policy: Policy, rule: string, caller: Caller, image: Image, what: string): void {
  requireAllowed(policy, rule, caller, image, what);
  if (!mayMutate(caller, image)) throw forbidden(`You may not ${what}: image ${image.id} belongs to another project.`);
}

/** Throws images.forbidden where the policy keeps this visibility to others. */
export function requireVisibilityAllowed(
  policy: Policy,
  caller: Caller,
  visibility: Visibility,
  target: Readonly<Record<string, string | null>>,
): void {
  const rule = visibilityPolicies[visibility];
  if (rule !== undefined && !policy.allows(rule, caller, target))
    throw forbidden(`You may not make an image ${visibility}: policy ${rule}.`);
}

export function forbidden(message: string): ServiceError {
  return new ServiceError("images.forbidden", message);
}

/** What rules of a policy file may refer to: the image's attributes, its owner also under Keystone's names. */
export function policyTarget(image: Image): Readonly<Record<string, string | null>> {
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
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    protected: String(image.protected),
  };
}
