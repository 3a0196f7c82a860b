// The domain with somebody who listens. What changes rows is told where the rows are changed, so that imports and other work in the background
// are told of too; what a client has to be there for is told by the service.
import { pipeline, Transform } from "node:stream";
import { isServiceError } from "../../core/errors.ts";
import type { Image } from "../image.ts";
import type { ImageRepository } from "../ports.ts";
import type { ImageDataService, ImageService, ImageServicesDeps } from "../services.ts";
import type { Notify } from "./notifier.ts";
import { dataPayload, imagePayload, memberPayload, sendPayload } from "./payloads.ts";

type Repositories = Pick<ImageServicesDeps, "images" | "members" | "uploads" | "imports">;

const everybody = { projectId: null, isAdmin: true } as const;

/** The same repositories. An image that is gone by the time it would be told of is not. */
export function notifiedRepositories(
  { images, members, uploads, imports }: Repositories,
  notify: Notify,
): Repositories {
  const tell = async (imageId: string, ...events: readonly (readonly [string, (image: Image) => unknown])[]) => {
    // What was done is done, whoever hears of it.
    const image = await images.find(imageId, everybody).catch(() => undefined);
    if (image) for (const [event, payload] of events) notify(event, payload(image));
  };
  const prepared = ["image.prepare", dataPayload] as const;
  const arrived = [
    ["image.upload", dataPayload],
    ["image.activate", imagePayload],
  ] as const;
  const updated = ["image.update", imagePayload] as const;

  return {
    images: {
      ...images,
      async create(draft) {
        const image = await images.create(draft);
        notify("image.create", imagePayload(image));
        return image;
      },
      async update(id, changes) {
        const image = await images.update(id, changes);
        notify("image.update", imagePayload(image));
        return image;
      },
      async changeStatus(id, from, to) {
        const changed = await images.changeStatus(id, from, to);
        if (changed) await tell(id, updated);
        return changed;
      },
      async addTag(id, tag, tagsMax) {
        await images.addTag(id, tag, tagsMax);
        await tell(id, updated);
      },
      async removeTag(id, tag) {
        const removed = await images.removeTag(id, tag);
        if (removed) await tell(id, updated);
        return removed;
      },
    } satisfies ImageRepository,
    members: {
      ...members,
      async add(imageId, memberId, membersMax) {
        const member = await members.add(imageId, memberId, membersMax);
        notify("image.member.create", memberPayload(member));
        return member;
      },
      async setStatus(imageId, memberId, status) {
        const member = await members.setStatus(imageId, memberId, status);
        if (member) notify("image.member.update", memberPayload(member));
        return member;
      },
      async remove(imageId, memberId) {
        const member = await members.find(imageId, memberId);
        const removed = await members.remove(imageId, memberId);
        if (removed && member) notify("image.member.delete", { ...memberPayload(member), deleted: true });
        return removed;
      },
    },
    uploads: {
      ...uploads,
      async begin(lease, leaseSeconds) {
        const begun = await uploads.begin(lease, leaseSeconds);
        if (begun) await tell(lease.imageId, prepared);
        return begun;
      },
      async finish(lease, data) {
        const state = await uploads.finish(lease, data);
        if (state === "held") await tell(lease.imageId, ...arrived);
        return state;
      },
    },
    imports: {
      ...imports,
      async beginImport(start, leaseSeconds) {
        const begun = await imports.beginImport(start, leaseSeconds);
        if (begun.state === "begun" && start.from !== "active") await tell(start.lease.imageId, prepared);
        return begun;
      },
      async commit(lease, commit) {
        const state = await imports.commit(lease, commit);
        if (state === "held" && commit.data) await tell(lease.imageId, ...arrived);
        return state;
      },
    },
  };
}

/** Deletions are told once the data has gone, too: until then they may be taken back. */
export function notifiedImages(service: ImageService, images: ImageRepository, notify: Notify): ImageService {
  return {
    ...service,
    async remove(caller, imageId, options) {
      const image = imageId.length <= 36 ? await images.find(imageId, everybody) : undefined;
      const where = await service.remove(caller, imageId, options);
      // The node that deletes is the one that tells.
      if (where === "elsewhere") return where;
      const at = new Date().toISOString().replace(/\.\d+/, "");
      if (image) notify("image.delete", imagePayload(image, at));
      return where;
    },
  };
}

/** Refused before it began, an upload is no news. */
const beforehand = ["images.not_found", "images.forbidden", "images.status_conflict", "images.invalid"] as const;

export function notifiedData(service: ImageDataService, images: ImageRepository, notify: Notify): ImageDataService {
  return {
    async upload(caller, imageId, source, options) {
      try {
        await service.upload(caller, imageId, source, options);
      } catch (error) {
        if (!isServiceError(error, ...beforehand))
          notify("image.upload", isServiceError(error) ? error.message : "The upload failed.", "ERROR");
        throw error;
      }
    },
    async download(caller, imageId, options) {
      const found = await service.download(caller, imageId, options);
      const { range, sizeBytes } = found;
      const wantedBytes = range === null ? sizeBytes : range.end - range.start + 1;
      const told = async (bytes: number) => {
        const image = await images.find(imageId, everybody).catch(() => undefined);
        notify("image.send", sendPayload(image, caller, imageId, bytes), bytes === wantedBytes ? "INFO" : "ERROR");
      };
      let bytes = 0;
      const counted = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.length;
          done(null, chunk);
        },
      });
      counted.once("close", () => void told(bytes));
      // A failure on either side destroys both; whoever reads hears of it.
      pipeline(found.stream, counted, () => undefined);
      return { ...found, stream: counted };
    },
  };
}
