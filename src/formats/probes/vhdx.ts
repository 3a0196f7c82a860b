// Microsoft's VHDX ([MS-VHDX]): two headers, two copies of a region table, and a metadata region that holds the disk's size and whether it has
// a parent. What a reader would trust is found by checksum and sequence number, as the specification says; an open log could still change it.
import { type Probe, piece, type Reading, type Report, startsWith } from "../probe.ts";
import { crc32c } from "./crc32c.ts";
import { type MetadataItem, metadataItems, type Region, readMetadataTable, readRegionTable } from "./vhdx-tables.ts";

const tableBytes = 65_536;
const headerBytes = 4_096;
const headersAt = [65_536, 131_072];
const regionTablesAt = [196_608, 262_144];
const logGuidAt = 48;
/** The specification lets no region begin before it. */
const regionsFrom = 1_048_576;
const hasParentBit = 2;

export const vhdx: Probe = {
  format: "vhdx",
  *read(report) {
    if (!startsWith(yield* piece(0, 8), "vhdxfile")) return;
    report.matched = true;
    yield* readHeaders(report);
    const region = yield* findMetadata(report);
    if (!region) return;
    const table = yield* piece(region.at, tableBytes);
    const items = readMetadataTable(table);
    if (items === null) return report.find("metadata", "has no metadata table where it should be");
    if (items.some(({ known, required }) => required && !known))
      report.find("unknown_features", "needs metadata that is not known");
    if (items.some(({ id }) => id === metadataItems.parentLocator))
      report.find("backing_file", "is the difference to a parent disk");
    yield* readItems(report, region, items);
  },
};

/** The current header is the one with a right checksum and the higher number. */
function* readHeaders(report: Report): Reading {
  let current: { number: bigint; hasLog: boolean } | undefined;
  for (const at of headersAt) {
    const header = yield* piece(at, headerBytes);
    if (header.length < headerBytes || !startsWith(header, "head") || crc32c(header, 4) !== header.readUInt32LE(4))
      continue;
    const number = header.readBigUInt64LE(8);
    const hasLog = header.subarray(logGuidAt, logGuidAt + 16).some((byte) => byte !== 0);
    if (!current || number > current.number) current = { number, hasLog };
    else if (number === current.number) current.hasLog ||= hasLog;
  }
  if (!current) report.find("header", "has no valid header");
  else if (current.hasLog) report.find("log", "was not closed: its log is still to be replayed");
}

/** Both copies of the region table that are valid have to say the same. */
function* findMetadata(report: Report): Reading<Region | null> {
  let found: Region | null = null;
  let copies = 0;
  for (const at of regionTablesAt) {
    const table = readRegionTable(yield* piece(at, tableBytes));
    if (table === null) continue;
    if (table.unknownRequired) report.find("unknown_features", "needs regions that are not known");
    const { metadata } = table;
    if (metadata === null || metadata.at < regionsFrom || metadata.bytes < tableBytes) {
      report.find("metadata", "does not say where its metadata is");
      return null;
    }
    if (found && (found.at !== metadata.at || found.bytes !== metadata.bytes)) {
      report.find("regions", "has two region tables that contradict each other");
      return null;
    }
    found = metadata;
    copies += 1;
  }
  if (copies === 0) report.find("regions", "has no valid region table");
  return found;
}

/** The two items that matter, in the order in which they stand in the file. */
function* readItems(report: Report, region: Region, items: readonly MetadataItem[]): Reading {
  const wanted = items.filter(({ id }) => id === metadataItems.fileParameters || id === metadataItems.diskSize);
  const inOrder = wanted.toSorted((one, other) => one.at - other.at);
  const [first, second] = inOrder;
  const fits = inOrder.every(({ at, bytes }) => at >= tableBytes && bytes === 8 && at + bytes <= region.bytes);
  if (!first || !second || inOrder.length !== 2 || first.id === second.id || !fits || second.at < first.at + 8)
    return report.find("metadata", "has no file parameters and size, or more than one of them");
  for (const { id, at } of [first, second]) {
    const item = yield* piece(region.at + at, 8);
    if (item.length < 8) return report.find("metadata", "ends within its metadata");
    if (id === metadataItems.diskSize) report.size(item.readBigUInt64LE(0));
    else if (item.readUInt32LE(4) & hasParentBit) report.find("backing_file", "is the difference to a parent disk");
  }
}
