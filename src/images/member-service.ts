// Projects an image is shared with. The owner invites and removes, a member answers; on images whose visibility takes no members there are none.
import type { Caller } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import {
  forbidden,
  mayMutate,
  policyTarget,
  requireAllowed,
  requireMutable,
  takesMembers,
  visibleImage,
} from "./access.ts";
import { parseText } from "./attributes.ts";
import type { Image, ImageMember, MemberStatus } from "./image.ts";
import type { ImageServicesDeps, MemberService } from "./services.ts";

const memberStatuses: readonly MemberStatus[] = ["pending", "accepted", "rejected"];

export function createMemberService(deps: ImageServicesDeps): MemberService {
  const { members, policy, capabilities, settings } = deps;

  /** The image, where the release lets it have members. Throws images.not_found, images.forbidden. */
  const sharedImage = async (caller: Caller, imageId: string): Promise<Image> => {
    const image = await visibleImage(deps, caller, imageId);
    if (!takesMembers(capabilities, image.visibility))
      throw forbidden(`Image ${image.id} is ${image.visibility}: it has no members.`);
    return image;
  };

  /** A member as the owner, an admin or the member itself may look at it. Throws images.forbidden, images.not_found. */
  const knownMember = async (caller: Caller, image: Image, memberId: string): Promise<ImageMember> => {
    if (!mayMutate(caller, image) && !isSelf(caller, memberId))
      throw forbidden(`Members of image ${image.id} are its owner's to see.`);
    // Longer than a project's id can be: asking the database could only fail.
    const member = memberId.length <= 255 ? await members.find(image.id, memberId) : undefined;
    if (!member) throw memberNotFound(image.id, memberId);
    return member;
  };

  return {
    async list(caller, imageId) {
      const image = await sharedImage(caller, imageId);
      requireAllowed(deps, "get_members", caller, image, `list members of image ${image.id}`);
      if (mayMutate(caller, image)) return members.list(image.id);
      const self = caller.projectId === null ? undefined : await members.find(image.id, caller.projectId);
      // An image without an owner is seen by everybody, also by who is none of its members.
      if (!self && !capabilities.policy.filtersLists)
        throw forbidden(`Members of image ${image.id} are its owner's to see.`);
      return self ? [self] : [];
    },

    async add(caller, imageId, memberId) {
      if (memberId === "")
        throw new ServiceError("images.invalid", "A member is the id of a project; it cannot be empty.");
      const checked = parseText("member", memberId);
      const image = await sharedImage(caller, imageId);
      requireMutable(deps, "add_member", caller, image, `share image ${image.id}`);
      return members.add(image.id, checked, settings.membersMax);
    },

    async show(caller, imageId, memberId) {
      const image = await visibleImage(deps, caller, imageId);
      // Not even that there is something to be refused is told here.
      if (!takesMembers(capabilities, image.visibility) || !(mayMutate(caller, image) || isSelf(caller, memberId)))
        throw memberNotFound(image.id, memberId);
      if (!policy.allows("get_member", caller, policyTarget(image, caller))) throw memberNotFound(image.id, memberId);
      return knownMember(caller, image, memberId);
    },

    async setStatus(caller, imageId, memberId, status) {
      const wanted = memberStatuses.find((known) => known === status);
      if (!wanted)
        throw new ServiceError("images.invalid", `A member's status is one of ${memberStatuses.join(", ")}.`);
      const image = await sharedImage(caller, imageId);
      // To one member the others do not exist.
      if (!mayMutate(caller, image) && !isSelf(caller, memberId)) throw memberNotFound(image.id, memberId);
      // Before it is looked up: the owner is refused whoever else is a member, and whoever is not.
      // Where the API decides (from Xena on), for its own project too.
      const isOwner = capabilities.policy.hidesUnreadable && caller.projectId === image.owner;
      if (!policy.decidesOwnership && !caller.isAdmin && (isOwner || !isSelf(caller, memberId)))
        throw forbidden(`Only project ${memberId.slice(0, 80)} itself may answer for its membership.`);
      await knownMember(caller, image, memberId);
      requireAllowed(deps, "modify_member", caller, image, `answer for members of image ${image.id}`);
      const member = await members.setStatus(image.id, memberId, wanted);
      if (!member) throw memberNotFound(image.id, memberId);
      return member;
    },

    async remove(caller, imageId, memberId) {
      const image = await sharedImage(caller, imageId);
      await knownMember(caller, image, memberId);
      requireMutable(deps, "delete_member", caller, image, `remove members of image ${image.id}`);
      if (!(await members.remove(image.id, memberId))) throw memberNotFound(image.id, memberId);
    },
  };
}

function isSelf(caller: Caller, memberId: string): boolean {
  return caller.projectId !== null && caller.projectId === memberId;
}

function memberNotFound(imageId: string, memberId: string): ServiceError {
  const shown = memberId.slice(0, 80);
  return new ServiceError("images.not_found", `Image ${imageId} has no member ${shown}.`, {
    facts: { imageId, member: shown },
  });
}
