// Where the data of an upload that can be continued waits until it is complete: a few parts an image, each written once by one request. A
// part is never changed by another request, so a writer that was fenced, and does not know it yet, can spoil nothing.
// Implemented by stores/file.
import type { Readable } from "node:stream";

/** The first `bytes` of a part. */
export type Piece = { readonly part: string; readonly bytes: number };

export interface UploadParts {
  /** Makes room for the parts of an image. Throws stores.full, stores.read_only, stores.unavailable. */
  prepare(imageId: string): Promise<void>;
  /** Whether this node sees that room. Throws stores.unavailable. */
  sees(imageId: string): Promise<boolean>;
  /**
   * Writes `source` into a new part, durable once this resolves. Where `source` fails, what it gave until then stays, and its own error is
   * thrown. Throws stores.full, stores.read_only, stores.unavailable (also: the room is gone); the signal's reason.
   */
  write(imageId: string, part: string, source: Readable, options: { readonly signal: AbortSignal }): Promise<number>;
  /** Bytes of a part, which are durable from now on; 0 where it was never begun. Throws stores.unavailable. */
  size(imageId: string, part: string): Promise<number>;
  /** One stream of all pieces. It fails with stores.unavailable where one is shorter than it should be. */
  read(imageId: string, pieces: readonly Piece[]): Readable;
  /** All parts of the image; none is fine. Throws stores.unavailable. */
  remove(imageId: string): Promise<void>;
  /** The images that there are parts of. */
  list(): Promise<readonly string[]>;
}
