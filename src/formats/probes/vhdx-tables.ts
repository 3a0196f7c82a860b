// The two tables of VHDX, read from their bytes: which regions the file has, and which items its metadata.
import { startsWith } from "../probe.ts";
import { crc32c } from "./crc32c.ts";

const tableBytes = 65_536;
const entryBytes = 32;
const entriesMax = 2_047;
/** 4 PiB: so that nothing inside a region is beyond what a number holds. */
const regionAtMax = 2n ** 52n;
const requiredRegionBit = 1;
const requiredItemBit = 4;

export type Region = { readonly at: number; readonly bytes: number };

/** As they stand in the file: the first three parts of a GUID are little-endian. */
function onDisk(guid: string): string {
  const [a = "", b = "", c = "", ...rest] = guid.split("-");
  const turned = [a, b, c].map((part) => Buffer.from(part, "hex").reverse().toString("hex"));
  return [...turned, ...rest].join("").toLowerCase();
}

const batRegion = onDisk("2DC27766-F623-4200-9D64-115E9BFD4A08");
const metadataRegion = onDisk("8B7CA206-4790-4B9A-B8FE-575F050F886E");

export const metadataItems = {
  fileParameters: onDisk("CAA16737-FA36-4D43-B3B6-33F0AA44E76B"),
  diskSize: onDisk("2FA54224-CD1B-4876-B211-5DBED83BF4B8"),
  diskId: onDisk("BECA12AB-B2E6-4523-93EF-C309E000C746"),
  logicalSectorSize: onDisk("8141BF1D-A96F-4709-BA47-F233A8FAAB5F"),
  physicalSectorSize: onDisk("CDA348C7-445D-4471-9CC9-E9885251C556"),
  parentLocator: onDisk("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C"),
} as const;
const knownItems = new Set<string>(Object.values(metadataItems));

function* entriesOf(table: Buffer, from: number, count: number): Generator<Buffer> {
  for (let number = 0; number < count; number++)
    yield table.subarray(from + number * entryBytes, from + (number + 1) * entryBytes);
}

export type RegionTable = { readonly metadata: Region | null; readonly unknownRequired: boolean };

/** null where it is no region table, or one with a wrong checksum. */
export function readRegionTable(table: Buffer): RegionTable | null {
  if (table.length < tableBytes || !startsWith(table, "regi") || crc32c(table, 4) !== table.readUInt32LE(4))
    return null;
  const count = table.readUInt32LE(8);
  if (count > entriesMax) return null;
  let metadata: Region | null = null;
  let unknownRequired = false;
  for (const entry of entriesOf(table, 16, count)) {
    const id = entry.toString("hex", 0, 16);
    const at = entry.readBigUInt64LE(16);
    if (id === metadataRegion && metadata === null && at <= regionAtMax)
      metadata = { at: Number(at), bytes: entry.readUInt32LE(24) };
    // A second metadata region counts as one that is not known: who is to say which of them a reader takes.
    else if (id !== batRegion && (id === metadataRegion || (entry.readUInt32LE(28) & requiredRegionBit) !== 0))
      unknownRequired = true;
  }
  return { metadata, unknownRequired };
}

export type MetadataItem = {
  readonly id: string;
  /** From the beginning of the region. */
  readonly at: number;
  readonly bytes: number;
  readonly known: boolean;
  readonly required: boolean;
};

/** null where it is no metadata table. */
export function readMetadataTable(table: Buffer): readonly MetadataItem[] | null {
  if (table.length < tableBytes || !startsWith(table, "metadata")) return null;
  const count = table.readUInt16LE(10);
  if (count > entriesMax) return null;
  return [...entriesOf(table, entryBytes, count)].map((entry) => {
    const id = entry.toString("hex", 0, 16);
    return {
      id,
      at: entry.readUInt32LE(16),
      bytes: entry.readUInt32LE(20),
      known: knownItems.has(id),
      required: (entry.readUInt32LE(24) & requiredItemBit) !== 0,
    };
  });
}
