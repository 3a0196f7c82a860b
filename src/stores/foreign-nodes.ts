// The contract of nodes that have stores which this one has not: what needs data there is asked of them, in the words of the client who asked
// here. Other rooms import this file; proxy/ asks Glance nodes over HTTP.
import type { Readable } from "node:stream";
import type { Onward } from "../core/onward.ts";
import type { ByteRange } from "./store.ts";

/**
 * Both throw what the other node says of the caller (identity.unauthenticated, images.forbidden, images.not_found), stores.foreign where no
 * node has the store, or the request was passed on before; stores.unavailable where none answers, stores.proxy_failed where none answers as a
 * Glance does.
 */
export interface ForeignNodes {
  /**
   * The bytes of `range` of an image of `sizeBytes`. Where a node dies in the middle the rest comes from the next that has it; fewer bytes are
   * an error of the stream, never a silent end. Throws stores.blob_not_found where the data is gone from its store; the signal's reason.
   */
  open(
    imageId: string,
    options: {
      readonly sizeBytes: number;
      readonly range: ByteRange;
      readonly signal: AbortSignal;
      readonly onward: Onward;
    },
  ): Promise<Readable>;
  /** Deletes the image whole, its rows and its data. An image that is gone is images.not_found. Throws stores.in_use too. */
  remove(imageId: string, options: { readonly onward: Onward }): Promise<void>;
  /** Safe to call twice. */
  close(): void;
}
