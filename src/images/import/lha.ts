// Unpacks lha archives (.lzh) of exactly one file. What an archive says of itself is read here; its packed data is left to the program lha.
import type { ServiceError } from "../../core/errors.ts";
import { brokenArchive } from "./broken-archive.ts";
import type { ByteReader } from "./byte-reader.ts";
import { crc16 } from "./crc16.ts";
import { unpackedByLha } from "./lha-program.ts";

/** How much of the data `isLha` needs to see. */
export const lhaStartBytes = 7;
/** The methods of the LHA family that the program knows. */
const methods: readonly string[] = ["-lh0-", "-lh1-", "-lh4-", "-lh5-", "-lh6-", "-lh7-", "-lhx-"];
const folderMethod = "-lhd-";
/** Up to where all kinds of header are alike; the last byte says of which kind it is. */
const commonBytes = 21;
/** Of all the extended headers of a file: names and dates. */
const extendedBytesMax = 65_536;
const longSizes = 0x42;

export type LhaFile = {
  readonly method: string;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  /** CRC-16 of what is unpacked. */
  readonly check: number;
};

export function isLha(start: Buffer): boolean {
  return start.length >= lhaStartBytes && /^-lh.-$/s.test(start.toString("latin1", 2, lhaStartBytes));
}

/** The only file of the archive, whatever name it has there. `signal` ends the program. Throws images.unfit_data. */
export async function* unlha(reader: ByteReader, signal: AbortSignal): AsyncGenerator<Buffer> {
  const file = await readHeader(reader);
  let bytes = 0;
  let check = 0;
  for await (const chunk of unpackedByLha(file, reader.take(file.packedBytes), signal)) {
    bytes += chunk.length;
    check = crc16(chunk, check);
    yield chunk;
  }
  // The program does not say when the two are not what they should be.
  if (bytes !== file.unpackedBytes || check !== file.check) throw brokenArchive("its file is damaged");
  const next = await reader.readUpTo(1);
  // An archive ends with a zero, or without a word.
  if (next.length > 0 && next[0] !== 0) throw brokenArchive("it holds more than one file");
}

async function readHeader(reader: ByteReader): Promise<LhaFile> {
  const common = await reader.read(commonBytes);
  const method = common.toString("latin1", 2, 7);
  if (method === folderMethod) throw brokenArchive("it holds a folder or a link");
  if (!methods.includes(method)) throw brokenArchive(`it is compressed by method ${method}, which is not known`);
  const level = common.readUInt8(20);
  if (level > 2) throw brokenArchive(`its header is of level ${level}; 0 to 2 are known`);
  const { check, extendedBytes } =
    level === 2 ? await readLevel2(reader, common) : await readOlder(reader, common, level);
  // Of level 1 alone: its packed size counts them.
  const packedBytes = common.readUInt32LE(7) - extendedBytes;
  if (packedBytes < 0) throw damagedHeader();
  return { method, packedBytes, unpackedBytes: common.readUInt32LE(11), check };
}

type Rest = { readonly check: number; readonly extendedBytes: number };

async function readOlder(reader: ByteReader, common: Buffer, level: number): Promise<Rest> {
  const restBytes = common.readUInt8(0) + 2 - commonBytes;
  if (restBytes < 3) throw damagedHeader();
  const rest = await reader.read(restBytes);
  const sum = [...common.subarray(2), ...rest].reduce((total, byte) => (total + byte) & 0xff, 0);
  const nameBytes = rest.readUInt8(0);
  if (sum !== common.readUInt8(1) || 1 + nameBytes + 2 > restBytes) throw damagedHeader();
  const check = rest.readUInt16LE(1 + nameBytes);
  if (level === 0) return { check, extendedBytes: 0 };
  return { check, extendedBytes: await passExtended(reader, rest.readUInt16LE(restBytes - 2)) };
}

async function readLevel2(reader: ByteReader, common: Buffer): Promise<Rest> {
  const rest = await reader.read(5);
  const extendedBytes = await passExtended(reader, rest.readUInt16LE(3));
  const fillBytes = common.readUInt16LE(0) - commonBytes - rest.length - extendedBytes;
  if (fillBytes < 0) throw damagedHeader();
  await reader.read(fillBytes);
  return { check: rest.readUInt16LE(0), extendedBytes: 0 };
}

/** Each says its own kind first, and the length of the next one last. Returns how many bytes they are. */
async function passExtended(reader: ByteReader, firstBytes: number): Promise<number> {
  let passedBytes = 0;
  for (let bytes = firstBytes; bytes > 0; ) {
    passedBytes += bytes;
    if (bytes < 3 || passedBytes > extendedBytesMax) throw damagedHeader();
    const header = await reader.read(bytes);
    if (header[0] === longSizes) throw brokenArchive("its file is larger than the 4 GiB that the program lha unpacks");
    bytes = header.readUInt16LE(bytes - 2);
  }
  return passedBytes;
}

function damagedHeader(): ServiceError {
  return brokenArchive("its header is damaged");
}
