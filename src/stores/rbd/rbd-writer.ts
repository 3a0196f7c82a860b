// Writes one stream into an image of RBD: chunks of the network are gathered to pieces, of which a few are under way at once.
import type { Readable } from "node:stream";
import { returnPiece } from "../../core/lent-pieces.ts";
import type { CephConnection } from "./ceph-connection.ts";
import type { OpenImage } from "./ceph-protocol.ts";

const pieceBytes = 1_048_576;
const piecesAtOnce = 4;
/** By so much an image grows whose size nobody announced; twice as much each time, up to the second. */
const growthBytes = 8 * 1_048_576;
const growthBytesMax = 8 * 2 ** 30;

export type WriteOptions = {
  readonly image: OpenImage;
  /** What the image was made with. */
  readonly bytes: number;
  /** Pieces of nothing but zeros are left out. */
  readonly thin: boolean;
  /** Rejected to stop the writing. */
  readonly stopped: Promise<never>;
};

/** Writes all of `source`; in the end the image is as large as that. Nothing is under way when it settles. Throws what the source or Ceph throws. */
export async function writeImage(connection: CephConnection, source: Readable, options: WriteOptions): Promise<number> {
  const { image, thin, stopped } = options;
  const underWay = new Set<Promise<unknown>>();
  let piece = new Uint8Array(pieceBytes);
  let pieceFilled = 0;
  let writtenBytes = 0;
  let imageBytes = options.bytes;
  let growth = growthBytes;

  const writePiece = async () => {
    const data = piece.subarray(0, pieceFilled);
    const offset = writtenBytes;
    writtenBytes += pieceFilled;
    // The other one moves to a thread.
    piece = new Uint8Array(pieceBytes);
    pieceFilled = 0;
    if (writtenBytes > imageBytes) {
      imageBytes = Math.max(imageBytes + growth, writtenBytes);
      growth = Math.min(growth * 2, growthBytesMax);
      await connection.order("resize", { image, bytes: imageBytes });
    }
    if (thin && isZero(data)) return;
    const writing = connection.order("write", { image, offset, data }, data.buffer);
    underWay.add(writing);
    // Awaited below; a failure until then must not count as unhandled.
    writing.then(
      () => underWay.delete(writing),
      () => undefined,
    );
    if (underWay.size >= piecesAtOnce) await Promise.race([...underWay, stopped]);
  };

  try {
    const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const { done, value: chunk } = await Promise.race([chunks.next(), stopped]);
      if (done) break;
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + pieceBytes - pieceFilled);
        piece.set(part, pieceFilled);
        taken += part.length;
        pieceFilled += part.length;
        if (pieceFilled === pieceBytes) await writePiece();
      }
      returnPiece(chunk);
    }
    if (pieceFilled > 0) await writePiece();
    await Promise.all(underWay);
    if (imageBytes !== writtenBytes) await connection.order("resize", { image, bytes: writtenBytes });
    return writtenBytes;
  } finally {
    // The caller closes the image next: nothing may still be writing to it by then.
    await Promise.allSettled(underWay);
  }
}

const zeros = Buffer.alloc(65_536);

function isZero(piece: Uint8Array): boolean {
  for (let at = 0; at < piece.length; at += zeros.length) {
    const part = piece.subarray(at, at + zeros.length);
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false;
  }
  return true;
}
