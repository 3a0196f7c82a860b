// Shared memory for pieces of streams, of which a process keeps as much as its streams need at a time: the collector of one thread does not know how
// large it is, and each thread that ever saw it keeps it alive until its own collector has run.
import { countSpentBytes } from "../core/spent-buffers.ts";

const pieceBytes = 262_144;
/** 64 MB, of some twenty uploads at full speed. */
const spareMax = 256;

const spare: Buffer[] = [];

/** A quarter of a megabyte, with whatever was in it last. */
export function takePiece(): Buffer {
  return spare.pop() ?? Buffer.from(new SharedArrayBuffer(pieceBytes));
}

/** Only by who knows that nobody reads it any more. */
export function keepPiece(piece: Buffer): void {
  if (spare.length < spareMax) spare.push(piece);
  else countSpentBytes(piece.length);
}
