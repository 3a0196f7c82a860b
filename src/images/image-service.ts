// Images without their data: create, show, list, change, delete, take out of use, tags. Data has its own service.
import { randomUUID } from "node:crypto";
import type { Caller } from "../core/caller.ts";
import { isServiceError, ServiceError } from "../core/errors.ts";
import {
  forbidden,
  foundImage,
  imageNotFound,
  isReadable,
  policyTarget,
  requireAllowed,
  requireMutable,
  requireOwn,
  requireVisibilityAllowed,
  viewerOf,
  visibleImage,
} from "./access.ts";
import { addableLocation, otherMetadata } from "./added-locations.ts";
import { withAdoptedLocations } from "./adopted-locations.ts";
import { parseTag } from "./attributes.ts";
import { removedElsewhere } from "./foreign-data.ts";
import type { Image } from "./image.ts";
import { imagePage, toQuery } from "./image-list.ts";
import { dropStaged, stagedImageBytes } from "./import/staged-data.ts";
import { removeOrTakeBack } from "./leased-data.ts";
import { newImageDraft } from "./new-image.ts";
import { applyPatch, checkPatch } from "./patch.ts";
import { applyOutcome } from "./patch-outcome.ts";
import { projectUsage, requireWithinLimits } from "./project-limits.ts";
import { withReadableProperties } from "./protected-properties.ts";
import { giveUpHalf } from "./resumable/give-up.ts";
import type { ImageService, ImageServicesDeps } from "./services.ts";
import { type ImageStatus, mayBecome } from "./status.ts";
import { removeVolumeKey } from "./volume-keys.ts";

export function createImageService(deps: ImageServicesDeps): ImageService {
  const { images, policy, protections, settings, capabilities } = deps;

  /** What the caller may know: where the data of an image taken out of use lies is an admin's business. */
  const shown = (caller: Caller, image: Image): Image => {
    const readable = withReadableProperties(protections, caller, image);
    const hidesLocations =
      image.locations.length > 0 &&
      ((image.status === "deactivated" && !caller.isAdmin) ||
        !policy.allows("get_image_location", caller, policyTarget(image, caller)));
    return { ...readable, locations: hidesLocations ? [] : deps.stores.inOrder(readable.locations) };
  };

  /** Data that nobody is known to have keeps no image from being deleted. */
  const refuseWhereOtherHasData = async (image: Image) => {
    await stagedImageBytes(deps, image).catch((error: unknown) => {
      if (isServiceError(error, "images.not_staged_here") && error.facts.stageHost !== undefined) throw error;
    });
  };

  /** Repeating is harmless; every status but these two refuses. */
  const switchStatus = async (caller: Caller, imageId: string, rule: string, from: ImageStatus, to: ImageStatus) => {
    const image = await foundImage(deps, caller, imageId);
    requireMutable(deps, rule, caller, image, `${rule} image ${image.id}`);
    if (image.status === to) return;
    if (mayBecome(image.status, to) && (await images.changeStatus(image.id, [from], to))) return;
    // Somebody was faster: what counts is how the image stands now.
    const now = image.status === from ? await foundImage(deps, caller, imageId) : image;
    if (now.status !== to) throw forbidden(`Cannot ${rule} image ${image.id}: it is ${now.status}.`);
  };

  return {
    async create(caller, attributes) {
      const draft = newImageDraft(caller, attributes, deps);
      await requireWithinLimits(deps, caller, { image_count_total: 1 });
      return shown(caller, await images.create(draft));
    },

    usage: (caller) => projectUsage(deps, caller),

    async show(caller, imageId) {
      return shown(caller, await withAdoptedLocations(deps, await visibleImage(deps, caller, imageId)));
    },

    async list(caller, request) {
      // A list is of no image, but of what the caller's project has.
      const project = { project_id: caller.projectId, owner: caller.projectId, tenant: caller.projectId };
      if (!policy.allows("get_images", caller, project)) throw forbidden("You may not list images: policy get_images.");
      const query = toQuery(viewerOf(caller), request, { settings, capabilities });
      const found = query.limit === 0 ? [] : await images.list(query);
      const readable = capabilities.policy.filtersLists
        ? found.filter((image) => isReadable(deps, caller, image))
        : found;
      const page = imagePage(found, query.limit);
      return {
        images: readable.map((image) => shown(caller, image)),
        limit: page.limit,
        nextMarker: readable.length > 0 ? page.nextMarker : null,
      };
    },

    async update(caller, imageId, patch) {
      const changes = checkPatch(patch.operations, { capabilities, settings });
      // Nothing is changed: who may see the image is shown it.
      if (changes.length === 0) return shown(caller, await visibleImage(deps, caller, imageId));
      const image = await foundImage(deps, caller, imageId);
      const ofLocations = changes.every((change) => change.of === "locations");
      const byOwnRules = ofLocations && capabilities.policy.locationsByOwnRules;
      const what = `change ${ofLocations ? "locations of " : ""}image ${image.id}`;
      if (!byOwnRules) requireMutable(deps, "modify_image", caller, image, what);
      const outcome = applyPatch(image, changes, {
        capabilities,
        settings,
        isAdmin: caller.isAdmin,
        isPropertyAllowed: (action, name) => protections?.allows(action, name, caller) ?? true,
        addRefusesExisting: patch.addRefusesExisting,
        requireVisibility: (visibility) =>
          requireVisibilityAllowed(policy, caller, visibility, policyTarget(image, caller)),
        requireLocationPolicy: (rule) =>
          (rule === "delete_image_location" ? requireMutable : requireAllowed)(deps, rule, caller, image, what),
        addableLocation: (given) => addableLocation(deps, image.id, given),
        otherMetadata: (location, metadata) => otherMetadata(deps, location, metadata),
      });
      // Not before the change was found to fit, as beside the reference; but before anything is fetched or written for a stranger.
      requireOwn(deps, caller, image, what);
      try {
        return shown(caller, await applyOutcome(deps, image, outcome));
      } catch (error) {
        // The upload began between the look and the change: the formats are frozen now, as they are for everybody else.
        if (outcome.whileStatus && !outcome.locations && isServiceError(error, "images.status_conflict"))
          throw forbidden("Formats can change only while the image is queued.");
        throw error;
      }
    },

    async remove(caller, imageId, { staged, token, onward } = {}) {
      const image = await foundImage(deps, caller, imageId);
      requireMutable(deps, "delete_image", caller, image, `delete image ${image.id}`);
      if (!mayBecome(image.status, "deleted"))
        throw new ServiceError(
          "images.status_conflict",
          `Image ${image.id} cannot be deleted while it is ${image.status}.`,
        );
      if (image.protected) throw forbidden(`Image ${image.id} is protected and cannot be deleted.`);
      if (await removedElsewhere(deps, image, onward)) return "elsewhere";
      if (image.status === "uploading" && staged !== "left") await refuseWhereOtherHasData(image);
      const removed = await images.remove(
        image.id,
        {
          leaseId: randomUUID(),
          node: deps.node,
          leaseSeconds: deps.uploadLeaseSeconds,
        },
        { delayed: settings.delayedDelete },
      );
      if (!removed) throw imageNotFound(imageId);
      await deps.cache?.evict(image.id);
      if (removed.cleanup) await removeOrTakeBack(deps, removed);
      if (image.status === "uploading") await dropStaged(deps, image.id);
      // Where this fails, it is done once the lease of the upload has expired.
      if (image.status === "saving") await giveUpHalf(deps, image.id).catch(() => undefined);
      await removeVolumeKey(deps, image, token);
      return "here";
    },

    async deactivate(caller, imageId) {
      await switchStatus(caller, imageId, "deactivate", "active", "deactivated");
    },

    async reactivate(caller, imageId) {
      await switchStatus(caller, imageId, "reactivate", "deactivated", "active");
    },

    async addTag(caller, imageId, tag) {
      const checked = parseTag(tag);
      const image = await foundImage(deps, caller, imageId);
      requireMutable(deps, "modify_image", caller, image, `change image ${image.id}`);
      await images.addTag(image.id, checked, settings.tagsMax);
    },

    async removeTag(caller, imageId, tag) {
      const image = await foundImage(deps, caller, imageId);
      requireMutable(deps, "modify_image", caller, image, `change image ${image.id}`);
      if (!(await images.removeTag(image.id, tag)))
        throw new ServiceError("images.not_found", `Image ${image.id} has no such tag.`, {
          facts: { imageId: image.id },
        });
    },
  };
}
