// Removes data whose deletion was delayed and whose time has come. Any number of scrubbers may run at once, beside nodes and beside those of
// the reference: each image is taken by one of them, and what a killed one leaves is leased, for the next one or a node's reaper.
import { randomUUID } from "node:crypto";
import { removeLeasedData } from "../leased-data.ts";
import type { ImageServicesDeps, UploadReaper } from "../services.ts";
import type { ScrubRepository } from "./scrub-repository.ts";

export type ScrubberDeps = Pick<ImageServicesDeps, "stores" | "uploads" | "logger" | "node" | "uploadLeaseSeconds"> & {
  readonly pending: ScrubRepository;
  readonly reaper: UploadReaper;
  /** How long data is kept. */
  readonly ageSeconds: number;
  /** Images worked on at once. */
  readonly imagesAtOnce: number;
};

export type Scrubbed = {
  readonly images: number /** Of these, whose data a store did not let go yet. */;
  readonly kept: number;
};

const rowsMax = 200;

/** One round through all that is due. Throws what the database throws. `signal` ends it between two images. */
export async function scrub(deps: ScrubberDeps, signal: AbortSignal): Promise<Scrubbed> {
  let images = 0;
  let kept = 0;
  // What earlier rounds could not remove.
  await deps.reaper.reclaimExpiredUploads();
  for (let after = ""; !signal.aborted; ) {
    const ids = await deps.pending.due({ ageSeconds: deps.ageSeconds, after, rowsMax });
    const queue = ids.values();
    const work = async () => {
      for (const id of queue) {
        if (signal.aborted) return;
        const done = await scrubImage(deps, id);
        if (done === undefined) continue;
        images += 1;
        kept += done ? 0 : 1;
      }
    };
    await Promise.all(Array.from({ length: deps.imagesAtOnce }, work));
    after = ids.at(-1) ?? "";
    if (ids.length < rowsMax) break;
  }
  return { images, kept };
}

/** Whether the data is gone; undefined: somebody else has it. */
async function scrubImage(deps: ScrubberDeps, imageId: string): Promise<boolean | undefined> {
  const { node, uploadLeaseSeconds: leaseSeconds } = deps;
  const lease = await deps.pending.take(imageId, { leaseId: randomUUID(), node, leaseSeconds });
  if (!lease) return undefined;
  return removeLeasedData(deps, lease);
}
