// Just enough of the domain, in memory, to see what the API makes of requests. Rules of visibility and status are the domain's and
// tested there.
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { Caller } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import { type RangeRequest, resolveRange } from "../../images/byte-range.ts";
import type { Image, ImageMember } from "../../images/image.ts";
import type { ImagePatch, ListImagesRequest } from "../../images/services.ts";
import type { Services } from "../route.ts";

const now = "2026-01-31T12:00:00Z";

export type MemoryServices = Services & {
  readonly stored: Map<string, Image>;
  readonly bytes: Map<string, Buffer>;
  /** What list and update were last called with. */
  readonly seen: { list?: ListImagesRequest; patch?: ImagePatch };
  /** When set, every call throws it. */
  failure: Error | null;
};

export function memoryServices(): MemoryServices {
  const stored = new Map<string, Image>();
  const bytes = new Map<string, Buffer>();
  const members = new Map<string, ImageMember>();
  const seen: MemoryServices["seen"] = {};
  const get = (id: string): Image => {
    if (all.failure) throw all.failure;
    const image = stored.get(id);
    if (!image) throw new ServiceError("images.not_found", `There is no image ${id}.`);
    return image;
  };
  const change = (id: string, changes: Partial<Image>): Image => {
    const image = { ...get(id), ...changes };
    stored.set(id, image);
    return image;
  };
  const memberOf = (imageId: string, memberId: string): ImageMember => {
    const member = members.get(`${get(imageId).id} ${memberId}`);
    if (!member) throw new ServiceError("images.not_found", `Image ${imageId} has no member ${memberId}.`);
    return member;
  };

  const all: MemoryServices = {
    stored,
    bytes,
    seen,
    failure: null,
    images: {
      async create(caller: Caller, attributes) {
        if (all.failure) throw all.failure;
        const { id, name, disk_format, container_format, tags, ...rest } = attributes;
        const texts = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === "string");
        const image = newImage({
          id: typeof id === "string" ? id : randomUUID(),
          name: typeof name === "string" ? name : null,
          owner: caller.projectId,
          diskFormat: typeof disk_format === "string" ? disk_format : null,
          containerFormat: typeof container_format === "string" ? container_format : null,
          tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [],
          properties: Object.fromEntries(texts),
        });
        if (stored.has(image.id)) throw new ServiceError("images.duplicate", `Image ${image.id} exists.`);
        stored.set(image.id, image);
        return image;
      },
      show: async (_caller, id) => get(id),
      async list(_caller, request) {
        if (all.failure) throw all.failure;
        seen.list = request;
        const limit = request.limit ?? 25;
        const rest = [...stored.values()];
        const from = request.marker === undefined ? 0 : rest.findIndex((image) => image.id === request.marker) + 1;
        if (request.marker !== undefined && from === 0) throw new ServiceError("images.bad_query", "No such marker.");
        const images = rest.slice(from, from + limit);
        return { images, limit, nextMarker: images.length === limit && limit > 0 ? (images.at(-1)?.id ?? null) : null };
      },
      async update(_caller, id, patch) {
        seen.patch = patch;
        return get(id);
      },
      async remove(_caller, id) {
        stored.delete(get(id).id);
      },
      async deactivate(_caller, id) {
        change(id, { status: "deactivated" });
      },
      async reactivate(_caller, id) {
        change(id, { status: "active" });
      },
      async addTag(_caller, id, tag) {
        change(id, { tags: [...new Set([...get(id).tags, tag])] });
      },
      async removeTag(_caller, id, tag) {
        if (!get(id).tags.includes(tag)) throw new ServiceError("images.not_found", "No such tag.");
        change(id, { tags: get(id).tags.filter((one) => one !== tag) });
      },
    },
    data: {
      async upload(_caller, id, source, { signal }) {
        if (get(id).status !== "queued") throw new ServiceError("images.status_conflict", "The image is not queued.");
        change(id, { status: "saving" });
        try {
          const chunks: Buffer[] = [];
          for await (const chunk of source) chunks.push(chunk);
          signal.throwIfAborted();
          const data = Buffer.concat(chunks);
          bytes.set(id, data);
          const checksum = createHash("md5").update(data).digest("hex");
          change(id, { status: "active", sizeBytes: data.length, checksum });
        } catch (error) {
          change(id, { status: "queued" });
          throw error;
        }
      },
      async download(_caller, id, options: { signal: AbortSignal; range?: RangeRequest }) {
        const { checksum } = get(id);
        const data = bytes.get(id);
        if (!data) throw new ServiceError("images.no_data", "The image has no data.");
        const range = options.range === undefined ? null : resolveRange(options.range, data.length);
        const part = range === null ? data : data.subarray(range.start, range.end + 1);
        return { sizeBytes: data.length, checksum, range, stream: Readable.from([part], { objectMode: false }) };
      },
    },
    members: {
      async list(_caller, imageId) {
        get(imageId);
        return [...members.values()].filter((member) => member.imageId === imageId);
      },
      async add(_caller, imageId, memberId) {
        const key = `${get(imageId).id} ${memberId}`;
        if (members.has(key)) throw new ServiceError("images.duplicate", "The member exists.");
        const member: ImageMember = { imageId, memberId, status: "pending", createdAt: now, updatedAt: now };
        members.set(key, member);
        return member;
      },
      show: async (_caller, imageId, memberId) => memberOf(imageId, memberId),
      async setStatus(_caller, imageId, memberId, status) {
        const member = memberOf(imageId, memberId);
        if (status !== "pending" && status !== "accepted" && status !== "rejected")
          throw new ServiceError("images.invalid", "No such status.");
        members.set(`${imageId} ${memberId}`, { ...member, status });
        return { ...member, status };
      },
      async remove(_caller, imageId, memberId) {
        memberOf(imageId, memberId);
        members.delete(`${imageId} ${memberId}`);
      },
    },
  };
  return all;
}

export function newImage(changes: Partial<Image>): Image {
  return {
    id: "00000000-0000-4000-8000-000000000000",
    name: null,
    status: "queued",
    visibility: "private",
    protected: false,
    owner: null,
    diskFormat: null,
    containerFormat: null,
    minDiskGb: 0,
    minRamMb: 0,
    sizeBytes: null,
    virtualSizeBytes: null,
    checksum: null,
    createdAt: now,
    updatedAt: now,
    tags: [],
    properties: {},
    locations: [],
    ...changes,
  };
}
