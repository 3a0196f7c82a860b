// Writes qcow2 version 3 images whose guest clusters the caller supplies: the metadata (header, refcounts, L1 and L2 tables) stands
// first, the data clusters follow in order, so that the file can be produced as a stream and read at any offset.
import assert from "node:assert/strict";

export const clusterBytes = 65_536;
const entriesPerTable = clusterBytes / 8;
/** 16-bit refcounts, the format's default. */
const refcountsPerBlock = clusterBytes / 2;
/** Set in L1 and L2 entries whose cluster has a refcount of exactly one. */
const copied = 1n << 63n;

export type Qcow2Layout = {
  /** Everything before the first data cluster; whole clusters. */
  readonly metadata: Buffer;
  /** The guest cluster that each data cluster of the file holds. */
  readonly guestClusters: readonly number[];
  readonly sizeBytes: number;
};

/** `guestClusters`: the guest's clusters that hold data, ascending; all others read as zeros. */
export function layoutQcow2(options: { virtualBytes: number; guestClusters: readonly number[] }): Qcow2Layout {
  const { virtualBytes, guestClusters } = options;
  assert(virtualBytes % clusterBytes === 0, "whole clusters keep the last one simple");
  const l1Entries = Math.ceil(virtualBytes / clusterBytes / entriesPerTable);
  assert(l1Entries <= entriesPerTable, "one cluster of L1 entries reaches 4 TiB");
  const l2Used = [...new Set(guestClusters.map((cluster) => Math.floor(cluster / entriesPerTable)))];
  // Header, refcount table, L1 table, then refcount blocks and L2 tables.
  const fixed = 3 + l2Used.length + guestClusters.length;
  const refcountBlocks = Math.ceil((fixed + Math.ceil(fixed / (refcountsPerBlock - 1))) / refcountsPerBlock);
  const total = fixed + refcountBlocks;
  const metadataClusters = total - guestClusters.length;
  const metadata = Buffer.alloc(metadataClusters * clusterBytes);
  const [refcountTable, l1Table, refcountStart, l2Start] = [1, 2, 3, 3 + refcountBlocks];

  writeHeader(metadata, { virtualBytes, l1Entries, l1Table, refcountTable });
  for (let block = 0; block < refcountBlocks; block++)
    metadata.writeBigUInt64BE(BigInt((refcountStart + block) * clusterBytes), refcountTable * clusterBytes + block * 8);
  // Refcount blocks are neighbours, so the count of cluster n stands n * 2 bytes after their start.
  for (let cluster = 0; cluster < total; cluster++)
    metadata.writeUInt16BE(1, refcountStart * clusterBytes + cluster * 2);
  for (const [position, l1Index] of l2Used.entries())
    metadata.writeBigUInt64BE(
      BigInt((l2Start + position) * clusterBytes) | copied,
      l1Table * clusterBytes + l1Index * 8,
    );
  for (const [position, guest] of guestClusters.entries()) {
    const table = l2Start + l2Used.indexOf(Math.floor(guest / entriesPerTable));
    const entry = BigInt((metadataClusters + position) * clusterBytes) | copied;
    metadata.writeBigUInt64BE(entry, table * clusterBytes + (guest % entriesPerTable) * 8);
  }
  return { metadata, guestClusters, sizeBytes: total * clusterBytes };
}

function writeHeader(
  out: Buffer,
  header: { virtualBytes: number; l1Entries: number; l1Table: number; refcountTable: number },
): void {
  out.write("QFI\xfb", 0, "latin1");
  out.writeUInt32BE(3, 4);
  out.writeUInt32BE(Math.log2(clusterBytes), 20);
  out.writeBigUInt64BE(BigInt(header.virtualBytes), 24);
  out.writeUInt32BE(header.l1Entries, 36);
  out.writeBigUInt64BE(BigInt(header.l1Table * clusterBytes), 40);
  out.writeBigUInt64BE(BigInt(header.refcountTable * clusterBytes), 48);
  // Clusters of the refcount table.
  out.writeUInt32BE(1, 56);
  // refcount_order: 2 to the 4th bits.
  out.writeUInt32BE(4, 96);
  // header_length; the zeros after it end the list of header extensions.
  out.writeUInt32BE(104, 100);
}
