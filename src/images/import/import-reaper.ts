// Cleans up behind staging and imports whose process died, as upload-reaper.ts does behind uploads; and, when a node starts, behind whatever
// left data in its staging folder that no image waits for any more.
import { errorText } from "../../core/errors.ts";
import type { ImageServicesDeps } from "../services.ts";
import { giveUpImport } from "./held-import.ts";
import { removeStaged } from "./staged-data.ts";

const leasesPerRoundMax = 50;
/** Other files in that folder are not ours. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type ImportReaper = {
  /** Safe in any number of processes at once. Returns how many leases were cleaned up. */
  reclaimExpiredImports(): Promise<number>;
  /**
   * For a node that starts: removes staged data of images that are gone, or no longer wait for it. Returns of how many. Never throws: what it
   * cannot do now, the next start does.
   */
  removeResidue(): Promise<number>;
};

export function createImportReaper(deps: ImageServicesDeps): ImportReaper {
  const { imports, node, uploadLeaseSeconds, clock, logger } = deps;
  const leaseMs = uploadLeaseSeconds * 1_000;
  let quietUntilMs = Number.NEGATIVE_INFINITY;

  return {
    async reclaimExpiredImports() {
      if (clock.monotonicMs() < quietUntilMs) return 0;
      const reclaimedMs = clock.monotonicMs();
      const leases = await imports
        .reclaim(node, { leaseSeconds: uploadLeaseSeconds, rowsMax: leasesPerRoundMax })
        .catch((error: unknown) => {
          // While the database was silent nobody could renew a lease: they get the length of one to do so before any is taken away.
          quietUntilMs = clock.monotonicMs() + leaseMs;
          logger.warn({ error: errorText(error) }, "expired imports could not be looked for");
          return [];
        });
      let cleaned = 0;
      for (const lease of leases) {
        // Half of the lease is for the removal itself: one that starts later is left to the next round.
        if (clock.monotonicMs() - reclaimedMs > leaseMs / 2) break;
        const done = await giveUpImport(deps, lease, {
          status: lease.givesBack,
          failed: null,
          outcome:
            lease.taskId === null
              ? null
              : { status: "failure", result: null, message: "The process that worked on the import is gone." },
        });
        if (!done) continue;
        cleaned += 1;
        logger.info({ imageId: lease.imageId }, "cleaned up behind staging or an import whose process is gone");
      }
      return cleaned;
    },

    async removeResidue() {
      if (!deps.staging) return 0;
      let removed = 0;
      try {
        for (const key of await deps.stagedKeys()) {
          if (!uuid.test(key) || (await isWaitedFor(deps, key))) continue;
          await removeStaged(deps, key);
          removed += 1;
        }
      } catch (error) {
        logger.warn({ error: errorText(error) }, "the folder of staged data could not be cleaned up");
      }
      if (removed > 0) logger.info({ removed }, "staged data that no image waits for was removed");
      return removed;
    },
  };
}

/**
 * The file was seen before the image is asked: data that is being staged or imported now was so then. An active image is being copied by a
 * node of the reference while it has a lock.
 */
async function isWaitedFor({ images }: ImageServicesDeps, imageId: string): Promise<boolean> {
  const image = await images.find(imageId, { projectId: null, isAdmin: true });
  if (!image) return false;
  return ["uploading", "importing"].includes(image.status) || Boolean(image.properties.os_glance_import_task);
}
