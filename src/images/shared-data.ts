// Who may read an image's data in its store by a token of their own, kept as the image is: of stores that lie in accounts of the users, where
// Glance nodes beside ours, and the users themselves, come with such tokens. It follows the rows, after they were written: our own nodes go by
// the rows alone, so that what fails here costs nobody of theirs anything.
import { errorText } from "../core/errors.ts";
import type { Readers } from "../stores/store.ts";
import { takesMembers } from "./access.ts";
import type { Image } from "./image.ts";
import type { ImageRepository, MemberRepository } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";

type Repositories = Pick<ImageServicesDeps, "images" | "members" | "uploads" | "imports">;
type Deps = Pick<ImageServicesDeps, "images" | "members" | "stores" | "capabilities" | "logger">;

const everybody = { projectId: null, isAdmin: true } as const;
/** Whoever changes the image meanwhile shares it, too: so many turns are enough for the last of them. */
const turnsMax = 5;

/** The same repositories, where a store of this node has to be told. */
export function sharedRepositories(deps: ImageServicesDeps): Repositories {
  const { images, members, uploads, imports, stores } = deps;
  if (!stores.stores.some(({ store }) => store.share)) return deps;
  return {
    images: {
      ...images,
      async update(id, changes) {
        const image = await images.update(id, changes);
        if (changes.set.visibility !== undefined || changes.locations) await shareData(deps, id);
        return image;
      },
    } satisfies ImageRepository,
    members: {
      ...members,
      async add(imageId, memberId, membersMax) {
        const member = await members.add(imageId, memberId, membersMax);
        await shareData(deps, imageId);
        return member;
      },
      async remove(imageId, memberId) {
        const removed = await members.remove(imageId, memberId);
        if (removed) await shareData(deps, imageId);
        return removed;
      },
    } satisfies MemberRepository,
    uploads: {
      ...uploads,
      async finish(lease, data) {
        const state = await uploads.finish(lease, data);
        // A lease that is lost may be so because the reply to the first try was.
        if (state !== "image_gone") await shareData(deps, lease.imageId);
        return state;
      },
    },
    imports: {
      ...imports,
      async commit(lease, commit) {
        const state = await imports.commit(lease, commit);
        if (state !== "image_gone" && commit.locations.length > 0) await shareData(deps, lease.imageId);
        return state;
      },
    },
  };
}

/**
 * Tells the stores, until what they were told is how the image stands: of two changes at once the one that is written last may be told first.
 * Never throws.
 */
async function shareData(deps: Deps, imageId: string): Promise<void> {
  try {
    let told: string | undefined;
    for (let turn = 0; turn < turnsMax; turn++) {
      const image = await deps.images.find(imageId, everybody);
      if (!image) return;
      const readers = await readersOf(deps, image);
      const now = JSON.stringify([image.locations.map(({ url }) => url), readers]);
      if (now === told) return;
      const tellings = image.locations.map((one) => deps.stores.of(one)?.store.share?.(one.url, readers));
      const failed = (await Promise.allSettled(tellings)).find(({ status }) => status === "rejected");
      if (failed) throw (failed as PromiseRejectedResult).reason;
      told = now;
    }
  } catch (error) {
    deps.logger.warn(
      { imageId, error: errorText(error) },
      "a store could not be told who may read an image; it is told again when visibility or members change",
    );
  }
}

async function readersOf({ members, capabilities }: Deps, { id, visibility }: Image): Promise<Readers> {
  if (visibility === "public" || visibility === "community") return "everybody";
  if (!takesMembers(capabilities, visibility)) return [];
  return (await members.list(id)).map(({ memberId }) => memberId).sort();
}
