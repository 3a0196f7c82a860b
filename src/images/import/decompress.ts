// The import plugin image_decompression: data that turns out to be gzip, or a zip or lha archive of exactly one file, is stored as what is inside.
// It is unpacked while it streams by; whatever it grows to counts against the limits of an image.
import { pipeline, Readable, type Transform } from "node:stream";
import { crc32, createGunzip, createInflateRaw } from "node:zlib";
import { brokenArchive } from "./broken-archive.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ImportSource } from "./import-work.ts";
import { isLha, lhaStartBytes, unlha } from "./lha.ts";

const signatures = { localFile: 0x04034b50, descriptor: 0x08074b50, centralFile: 0x02014b50, end: 0x06054b50 } as const;
/** Of what follows the file: the directory of an archive of one file, and a comment. */
const directoryBytesMax = 262_144;
const zip64Size = 0xffff_ffff;

/** The same data, unpacked where it is packed. */
export function unpackedSource(source: ImportSource): ImportSource {
  return {
    staged: source.staged,
    async open(signal) {
      const { stream, sizeBytes } = await source.open(signal);
      const reader = new ByteReader(stream);
      const start = await reader.peek(lhaStartBytes);
      const unpacked = unpackerOf(start, reader, signal);
      if (!unpacked) return { stream: owning(stream, Readable.from(reader.rest(), { objectMode: false })), sizeBytes };
      return { stream: owning(stream, unpacked), sizeBytes: null };
    },
  };
}

function unpackerOf(start: Buffer, reader: ByteReader, signal: AbortSignal): Readable | undefined {
  if (start.length < 4) return undefined;
  if (isLha(start)) return Readable.from(unlha(reader, signal), { objectMode: false });
  if (start.readUInt32LE(0) === signatures.localFile) return Readable.from(unzip(reader), { objectMode: false });
  if (start[0] !== 0x1f || start[1] !== 0x8b || start[2] !== 8) return undefined;
  const gunzip = createGunzip();
  pipeline(Readable.from(reader.rest(), { objectMode: false }), gunzip, () => undefined);
  return Readable.from(told(gunzip), { objectMode: false });
}

/** Whoever gives the unpacked data up gives the packed data up, too. */
function owning(source: Readable, stream: Readable): Readable {
  return stream.once("close", () => source.destroy());
}

async function* told(unpacker: Transform): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of unpacker) yield chunk as Buffer;
  } catch (error) {
    // Anything but what the unpacker itself says is a failure of what the data comes from.
    if (!isZlibError(error)) throw error;
    throw brokenArchive("it cannot be unpacked", error);
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}

async function* unzip(reader: ByteReader): AsyncGenerator<Buffer> {
  const { packedBytes, stored } = await readLocalHeader(reader);
  const open: Open = { packedBytes: 0 };
  let check = 0;
  for await (const chunk of contentOf(reader, packedBytes, { stored, open })) {
    check = crc32(chunk, check);
    yield chunk;
  }
  if (packedBytes === null) await readDescriptor(reader, open.packedBytes, check);
  await requireOneFile(reader, check);
}

/** Of a file whose length is not said before it: what it took. */
type Open = { packedBytes: number };

function contentOf(
  reader: ByteReader,
  packedBytes: number | null,
  { stored, open }: { readonly stored: boolean; readonly open: Open },
): AsyncIterable<Buffer> {
  if (packedBytes === null) return inflatedOpen(reader, open);
  const packed = reader.take(packedBytes);
  return stored ? packed : told(inflated(packed));
}

/** Packed data ends by itself; what was given to be unpacked beyond its end is read again. */
async function* inflatedOpen(reader: ByteReader, open: Open): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw();
  let given = 0;
  let last: Buffer = Buffer.alloc(0);
  const feed = async () => {
    while (!inflate.readableEnded && !inflate.destroyed) {
      const piece = await reader.piece();
      if (piece.length === 0) break;
      last = piece;
      given += piece.length;
      // Piece by piece, so that no more than the last one can be left over.
      await new Promise<void>((written) => inflate.write(piece, () => written()));
      if (inflate.bytesWritten < given) break;
    }
    inflate.end();
  };
  const fed = feed().catch((error: unknown) => void inflate.destroy(error as Error));
  yield* told(inflate);
  await fed;
  open.packedBytes = inflate.bytesWritten;
  reader.unread(last.subarray(last.length - (given - inflate.bytesWritten)));
}

/** What follows such a file: its checksum and its lengths, of four or of eight bytes, behind a signature or not. */
async function readDescriptor(reader: ByteReader, packedBytes: number, check: number): Promise<void> {
  const ahead = await reader.peek(28);
  for (const [bytes, signed, wide] of [
    [16, 4, false],
    [24, 4, true],
    [12, 0, false],
    [20, 0, true],
  ] as const) {
    if (ahead.length < bytes + 4 || ahead.readUInt32LE(bytes) !== signatures.centralFile) continue;
    if (signed > 0 && ahead.readUInt32LE(0) !== signatures.descriptor) continue;
    const length = wide ? Number(ahead.readBigUInt64LE(signed + 4)) : ahead.readUInt32LE(signed + 4);
    if (length !== packedBytes || ahead.readUInt32LE(signed) !== check) throw brokenArchive("its file is damaged");
    await reader.read(bytes);
    return;
  }
  // Another file, or nothing that belongs there.
  throw brokenArchive("what follows its first file is no directory");
}

function inflated(packed: AsyncIterable<Buffer>): Transform {
  const inflate = createInflateRaw();
  pipeline(Readable.from(packed, { objectMode: false }), inflate, () => undefined);
  return inflate;
}

/** `packedBytes`: null where the archive was made as a stream, and does not say it before the file. */
async function readLocalHeader(reader: ByteReader): Promise<{ packedBytes: number | null; stored: boolean }> {
  const header = await reader.read(30);
  const flags = header.readUInt16LE(6);
  const method = header.readUInt16LE(8);
  await reader.read(header.readUInt16LE(26));
  const extra = await reader.read(header.readUInt16LE(28));
  if (flags & 1) throw brokenArchive("it is encrypted");
  if (method !== 0 && method !== 8) throw brokenArchive(`it is compressed by method ${method}; deflate is known`);
  if (flags & 8) {
    if (method === 8) return { packedBytes: null, stored: false };
    throw brokenArchive("its file is not compressed, and nothing says where it ends");
  }
  const packedBytes = header.readUInt32LE(18);
  const unpackedBytes = header.readUInt32LE(22);
  const size = packedBytes === zip64Size ? zip64PackedBytes(extra, unpackedBytes === zip64Size) : packedBytes;
  return { packedBytes: size, stored: method === 0 };
}

/** Sizes of large files stand in a field of their own, the unpacked one first, those alone that did not fit. */
function zip64PackedBytes(extra: Buffer, hasUnpacked: boolean): number {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    const place = at + 4 + (hasUnpacked ? 8 : 0);
    if (extra.readUInt16LE(at) === 1 && place + 8 <= extra.length) return Number(extra.readBigUInt64LE(place));
  }
  throw brokenArchive("the size of its file is missing");
}

/** The directory behind the file says that there is no other, and what the file's checksum is. */
async function requireOneFile(reader: ByteReader, check: number): Promise<void> {
  const tail = await reader.readUpTo(directoryBytesMax);
  if (tail.length < 4) throw brokenArchive("it breaks off before its end");
  if (tail.readUInt32LE(0) === signatures.localFile) throw brokenArchive("it holds more than one file");
  if (tail.readUInt32LE(0) !== signatures.centralFile || tail.length < 68)
    throw brokenArchive("its directory is damaged");
  const next = 46 + tail.readUInt16LE(28) + tail.readUInt16LE(30) + tail.readUInt16LE(32);
  if (next + 4 <= tail.length && tail.readUInt32LE(next) === signatures.centralFile)
    throw brokenArchive("it holds more than one file");
  if (tail.indexOf(endMark) === -1) throw brokenArchive("it breaks off before its end");
  if (tail.readUInt32LE(16) !== check) throw brokenArchive("the checksum of its file is wrong");
}

const endMark = Buffer.alloc(4);
endMark.writeUInt32LE(signatures.end);
