// Removes data whose deletion was delayed and whose time has come. Any number of scrubbers may run at once, beside nodes and beside those of
// the reference: each image is taken by one of them, and what a killed one leaves is leased, for the next one or a node's reaper.
import { randomUUID } from "node:crypto";
import type { PlacedData } from "../../stores/registry.ts";
import { staysBehind } from "../foreign-data.ts";
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
  readonly images: number;
  /** Of these, whose data a store did not let go yet. */
  readonly kept: number;
  /** Besides these: due, and left to a scrubber that has their stores, such as the reference's. */
  readonly left: number;
};

const rowsMax = 200;

/** One round through all that is due. Throws what the database throws. `signal` ends it between two images. */
export async function scrub(deps: ScrubberDeps, signal: AbortSignal): Promise<Scrubbed> {
  const scrubbed = { images: 0, kept: 0, left: 0 };
  // What earlier rounds could not remove.
  await deps.reaper.reclaimExpiredUploads();
  for (let after = ""; !signal.aborted; ) {
    const ids = await deps.pending.due({ ageSeconds: deps.ageSeconds, after, rowsMax });
    const queue = ids.values();
    const work = async () => {
      for (const id of queue) {
        if (signal.aborted) return;
        const outcome = await scrubImage(deps, id);
        if (outcome === "left") scrubbed.left += 1;
        else if (outcome !== "passed") scrubbed.images += 1;
        if (outcome === "kept") scrubbed.kept += 1;
      }
    };
    await Promise.all(Array.from({ length: deps.imagesAtOnce }, work));
    after = ids.at(-1) ?? "";
    if (ids.length < rowsMax) break;
  }
  return scrubbed;
}

/** passed: somebody else has it. */
async function scrubImage(deps: ScrubberDeps, imageId: string): Promise<"gone" | "kept" | "left" | "passed"> {
  const { node, uploadLeaseSeconds: leaseSeconds } = deps;
  const isOurs = (location: PlacedData) => !staysBehind(deps.stores, location);
  const lease = await deps.pending.take(imageId, { leaseId: randomUUID(), node, leaseSeconds }, isOurs);
  if (!lease) return "passed";
  if (lease === "left") return lease;
  return (await removeLeasedData(deps, lease)) ? "gone" : "kept";
}
