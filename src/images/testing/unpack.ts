// Packed data on its way through the plugin image_decompression.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { unpackedSource } from "../import/decompress.ts";

/** What the plugin makes of `packed`, which comes in pieces of a size that meets every boundary sooner or later. */
export async function unpack(packed: Buffer, pieceBytes = 1_009): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(packed.length / pieceBytes) }, (_, n) =>
    packed.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  );
  return buffer(await unpackedStream(Readable.from(pieces, { objectMode: false })));
}

/** `signal`: of the import. */
export async function unpackedStream(packed: Readable, signal = new AbortController().signal): Promise<Readable> {
  const open = async () => ({ stream: packed, sizeBytes: null });
  return (await unpackedSource({ open, staged: false }).open(signal)).stream;
}
