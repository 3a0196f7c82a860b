// Cleans up behind processes that died: takes over their leases once these have expired, removes the data and lets the images be queued again.
// Taking a lease over gives it a new id, so of any number of reapers exactly one cleans up, and the writer it once belonged to knows it lost.
import { errorText } from "../core/errors.ts";
import { removeLeasedData } from "./leased-data.ts";
import type { UploadLease } from "./ports.ts";
import { keepForLater, removeOrphanedParts } from "./resumable/give-up.ts";
import { halfUploadOf } from "./resumable/half-upload.ts";
import type { ImageServicesDeps, UploadReaper } from "./services.ts";

const leasesPerRoundMax = 50;

export function createUploadReaper(deps: ImageServicesDeps): UploadReaper {
  const { uploads, node, uploadLeaseSeconds, clock, logger } = deps;
  const leaseMs = uploadLeaseSeconds * 1_000;
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let sweepAtMs = Number.NEGATIVE_INFINITY;

  const reclaim = async (): Promise<readonly UploadLease[]> => {
    try {
      return await uploads.reclaim(node, { leaseSeconds: uploadLeaseSeconds, rowsMax: leasesPerRoundMax });
    } catch (error) {
      // While the database was silent no upload could renew its lease: they get the length of one to do so before any is taken away.
      quietUntilMs = clock.monotonicMs() + leaseMs;
      throw error;
    }
  };

  /** Half of the lease is for the removal itself: one that starts later is left to the next round. */
  const cleanUp = async (lease: UploadLease, reclaimedMs: number): Promise<boolean> => {
    if (clock.monotonicMs() - reclaimedMs > leaseMs / 2) return false;
    if (await stored(lease)) return false;
    const done = await removeLeasedData(deps, lease);
    if (done) logger.info({ imageId: lease.imageId }, "cleaned up behind an upload or deletion whose process is gone");
    return done;
  };

  /** True where an upload broke while it was stored: it can be continued, or could not be seen to just now. */
  const stored = async (lease: UploadLease): Promise<boolean> => {
    const half = halfUploadOf(lease);
    if (!half?.storing) return false;
    try {
      const kept = await keepForLater(deps, lease, half);
      if (kept) logger.info({ imageId: lease.imageId }, "an upload whose process is gone can be continued");
      return kept;
    } catch (error) {
      logger.warn({ imageId: lease.imageId, error: errorText(error) }, "an upload could not be kept for later yet");
      return true;
    }
  };

  const sweep = async (): Promise<void> => {
    const { resumableSeconds } = deps.settings;
    if (resumableSeconds === null || clock.monotonicMs() < sweepAtMs) return;
    sweepAtMs = clock.monotonicMs() + resumableSeconds * 1_000;
    await removeOrphanedParts(deps);
  };

  return {
    async reclaimExpiredUploads() {
      if (clock.monotonicMs() < quietUntilMs) return 0;
      const reclaimedMs = clock.monotonicMs();
      const leases = await reclaim().catch((error: unknown) => {
        logger.warn({ error: errorText(error) }, "expired uploads could not be looked for");
        return [];
      });
      let cleaned = 0;
      for (const lease of leases) if (await cleanUp(lease, reclaimedMs)) cleaned += 1;
      await sweep();
      return cleaned;
    },
  };
}
