// Writes one stream into one file with few system calls: small chunks are gathered and written a quarter of a megabyte at a time, the
// next one is gathered while the last is written, and what is written is flushed to the disk along the way, so that the last flush is short.
import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { returnPiece } from "../../core/lent-pieces.ts";

/**
 * Larger writes make the system's cache take blocks of memory of a size that virtual machines give back to their hosts while it is free: there,
 * writing half a megabyte at a time took 1.7 times the processor, a megabyte three times, until the host had it all again.
 */
const writeBytesMin = 262_144;
/** Below what one system call takes (1,024). */
const writeChunksMax = 512;
const flushBytesMin = 64 * 1_048_576;

export type WriteOptions = {
  /** Chunks of nothing but zeros become holes of the file. */
  readonly sparse: boolean;
  /** The source is never held up by the disk, as far as the system's memory goes: all waiting is done at the end. */
  readonly lateFlush: boolean;
};

/** Writes all of `source` from the start of a new file and flushes it; holds at most a few megabytes. Throws what the source or the file throws. */
export async function writeBlob(file: FileHandle, source: Readable, options: WriteOptions): Promise<number> {
  const { sparse, lateFlush } = options;
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let writtenBytes = 0;
  let flushedBytes = 0;
  let writing: Promise<void> | undefined;
  let flushing: Promise<void> | undefined;
  let flushed = true;

  const writeGathered = () => {
    const chunks = gathered;
    const position = writtenBytes;
    writtenBytes += gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
    writing = (sparse ? writeSparse : writeAll)(file, chunks, position).then(() => chunks.forEach(returnPiece));
    // Awaited before the next write; a failure until then must not count as unhandled.
    writing.catch(() => undefined);
  };

  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      gathered.push(chunk);
      gatheredBytes += chunk.length;
      if (gatheredBytes < writeBytesMin && gathered.length < writeChunksMax) continue;
      await writing;
      if (writtenBytes - flushedBytes >= flushBytesMin && (flushed || !lateFlush)) {
        await flushing;
        flushedBytes = writtenBytes;
        flushed = false;
        flushing = file.datasync().then(() => {
          flushed = true;
        });
        flushing.catch(() => undefined);
      }
      writeGathered();
    }
    await writing;
    writeGathered();
    await writing;
    await flushing;
  } catch (error) {
    // The caller closes the file next: nothing may still be writing to its number by then.
    await Promise.allSettled([writing, flushing]);
    throw error;
  }
  // A hole at the end is only there once the file is as long.
  if (sparse) await file.truncate(writtenBytes);
  await file.sync();
  return writtenBytes;
}

const zeros = Buffer.alloc(65_536);

/** Writes runs of chunks that hold anything, and leaves out the others. */
async function writeSparse(file: FileHandle, chunks: readonly Buffer[], position: number): Promise<void> {
  let run: Buffer[] = [];
  let start = position;
  let end = position;
  for (const chunk of chunks) {
    if (isZero(chunk)) {
      await writeAll(file, run, start);
      run = [];
      start = end + chunk.length;
    } else run.push(chunk);
    end += chunk.length;
  }
  await writeAll(file, run, start);
}

function isZero(chunk: Buffer): boolean {
  for (let at = 0; at < chunk.length; at += zeros.length) {
    const part = chunk.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}

/** A write may be cut short (a full disk, a limit): the rest is written again, until it is all there or the system says why not. */
async function writeAll(file: FileHandle, chunks: readonly Buffer[], position: number): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  let offset = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, offset);
    if (bytesWritten === 0) throw Object.assign(new Error("the file takes no more bytes"), { code: "ENOSPC" });
    offset += bytesWritten;
    rest = without(rest, bytesWritten);
  }
}

/** `chunks` without their first `bytes`. */
function without(chunks: readonly Buffer[], bytes: number): Buffer[] {
  let done = bytes;
  const rest: Buffer[] = [];
  for (const chunk of chunks) {
    if (done >= chunk.length) done -= chunk.length;
    else {
      rest.push(done > 0 ? chunk.subarray(done) : chunk);
      done = 0;
    }
  }
  return rest;
}
