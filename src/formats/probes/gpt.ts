// A partitioned disk: GPT (UEFI specification, chapter 5) or the older MBR alone. A GPT is to be protected by an MBR that tells tools of old
// that the disk is taken; one whose MBR says otherwise shows different partitions to different readers.
import { last, type Probe, piece, type Report, startsWith } from "../probe.ts";

const sectorBytes = 512;
const magic = "EFI PART";
const tableAt = 446;
const entryBytes = 16;
const protective = 0xee;

type Partition = {
  readonly indicator: number;
  readonly type: number;
  readonly firstSector: number;
  readonly sectors: number;
};

export const gpt: Probe = {
  format: "gpt",
  *read(report) {
    const sector = yield* piece(0, sectorBytes);
    const signed = sector.length === sectorBytes && sector.readUInt16BE(510) === 0x55aa;
    const partitions = signed ? partitionsOf(sector) : [];
    // Sector 1, on disks with sectors of 512 bytes and of 4 KiB.
    let hasGpt = startsWith(yield* piece(sectorBytes, magic.length), magic);
    if (startsWith(yield* piece(4_096, magic.length), magic)) hasGpt = true;
    if (!hasGpt && !isPartitioned(partitions)) return;
    report.matched = true;
    if (hasGpt || partitions.some(({ type }) => type === protective)) checkProtective(report, partitions);
    yield* last(0);
    report.virtualBytes = report.fileBytes;
  },
};

function partitionsOf(sector: Buffer): readonly Partition[] {
  return [0, 1, 2, 3].map((number) => {
    const entry = sector.subarray(tableAt + number * entryBytes, tableAt + (number + 1) * entryBytes);
    return {
      indicator: entry.readUInt8(0),
      type: entry.readUInt8(4),
      firstSector: entry.readUInt32LE(8),
      sectors: entry.readUInt32LE(12),
    };
  });
}

const mayBoot = ({ indicator }: Partition) => indicator === 0 || indicator === 0x80;

/** Boot sectors of filesystems end in the same two bytes and hold code where the table would be, or nothing. */
function isPartitioned(partitions: readonly Partition[]): boolean {
  if (partitions.some(({ type, firstSector }) => type === protective && firstSector === 1)) return true;
  const used = partitions.some(({ type, firstSector, sectors }) => type !== 0 && firstSector !== 0 && sectors !== 0);
  return used && partitions.every(mayBoot);
}

function checkProtective(report: Report, partitions: readonly Partition[]): void {
  const guard = partitions.find(({ type }) => type === protective);
  if (partitions.length === 0) report.find("mbr", "has a GPT without an MBR before it");
  else if (!guard) report.find("mbr", "has a GPT that its MBR does not protect");
  else if (guard.firstSector !== 1)
    report.find("mbr", "has an MBR that protects another part of the disk than the GPT");
  else if (!partitions.every(mayBoot)) report.find("mbr", "has an MBR with boot indicators that are none");
}
