// What notifications say, under the reference's names. No locations and nothing else that a listener has no business knowing.
import type { Caller } from "../../core/caller.ts";
import type { Image, ImageMember } from "../image.ts";

/** `deletedAt`: null while it lives. */
export function imagePayload(image: Image, deletedAt: string | null = null): Readonly<Record<string, unknown>> {
  return {
    id: image.id,
    name: image.name,
    status: deletedAt === null ? image.status : "deleted",
    created_at: image.createdAt,
    updated_at: image.updatedAt,
    min_disk: image.minDiskGb,
    min_ram: image.minRamMb,
    protected: image.protected,
    checksum: image.checksum,
    owner: image.owner,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    is_public: image.visibility === "public",
    visibility: image.visibility,
    properties: image.properties,
    tags: image.tags,
    deleted: deletedAt !== null,
    deleted_at: deletedAt,
  };
}

/** Of data on its way into an image: which stores it goes to as well. */
export function dataPayload(image: Image): Readonly<Record<string, unknown>> {
  const list = (name: string) => image.properties[name]?.split(",").filter(Boolean) ?? [];
  return {
    ...imagePayload(image),
    os_glance_importing_to_stores: list("os_glance_importing_to_stores"),
    os_glance_failed_import: list("os_glance_failed_import"),
  };
}

export function sendPayload(image: Image | undefined, caller: Caller, imageId: string, bytes: number) {
  return {
    bytes_sent: bytes,
    image_id: imageId,
    owner_id: image?.owner ?? null,
    receiver_tenant_id: caller.projectId,
    receiver_user_id: caller.userId,
  };
}

export function memberPayload(member: ImageMember): Readonly<Record<string, unknown>> {
  const { imageId, memberId, status, createdAt, updatedAt } = member;
  return { image_id: imageId, member_id: memberId, status, created_at: createdAt, updated_at: updatedAt };
}
