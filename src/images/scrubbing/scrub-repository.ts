// What delayed deletion needs of a database (delayed_delete): images that are deleted for their clients, whose data is kept for a while.
//
//   active, deactivated --remove--> pending_delete --take--> deleted, with a lease on the data, as any deletion leaves it
//                                        `--restore--> active
import type { PlacedData } from "../../stores/registry.ts";
import type { Cleanup, UploadLease } from "../ports.ts";

export interface ScrubRepository {
  /** Ids, in order, of images that have been pending for so long; those behind `after`. */
  due(options: {
    readonly ageSeconds: number;
    readonly after: string;
    readonly rowsMax: number;
  }): Promise<readonly string[]>;
  /**
   * Makes the deletion final: rows say `deleted`, and the same transaction leases the data to the caller, who removes it as after any other
   * deletion. undefined: it is not pending (any more), or somebody is at its data. "left": some of its data is not the caller's to remove, and all of
   * it stays pending, for a scrubber that has its stores.
   */
  take(
    imageId: string,
    cleanup: Cleanup,
    isOurs: (location: PlacedData) => boolean,
  ): Promise<UploadLease | "left" | undefined>;
  /**
   * The image is there again, with its data and with the properties, tags and members that were deleted with it.
   * Throws images.not_found, images.status_conflict (not pending, or its data is gone).
   */
  restore(imageId: string): Promise<void>;
}
