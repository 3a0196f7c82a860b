// VMware's VMDK (Virtual Disk Format 5.0). Only one kind is safe to open from a single file: a sparse extent that carries its own descriptor. A
// descriptor alone, or one that lists other extents, makes its reader open files of the host.
import {
  last,
  type Probe,
  type ProbeOptions,
  piece,
  pieceBytesMax,
  type Reading,
  type Report,
  startsWith,
} from "../probe.ts";
import { checkDescriptor, isDescriptorText } from "./vmdk-descriptor.ts";

const sectorBytes = 512;
const magic = "KDMV";
/** Where a reader looks for a descriptor's text. */
const probedTextBytes = 2_048;
/** In place of the grain directory's position: the header that counts is the copy in the footer. */
const atEnd = 0xffffffffffffffffn;
/** In sectors: 4 PiB. */
const descriptorAtMax = 2n ** 43n;
const footerBytes = 3 * sectorBytes;

export const vmdk: Probe = {
  format: "vmdk",
  *read(report, options) {
    const head = yield* piece(0, sectorBytes);
    if (startsWith(head, magic)) return yield* readSparse(report, options, head);
    if (startsWith(head, "COWD")) return report.find("type", "is an extent of an old ESX server");
    const beginning = head.toString("latin1");
    const more = yield* piece(sectorBytes, probedTextBytes - sectorBytes);
    if (isDescriptorText(beginning + more.toString("latin1")))
      report.find("descriptor", "is a descriptor without data: it names other files");
  },
};

function* readSparse(report: Report, { vmdkTypes }: ProbeOptions, head: Buffer): Reading {
  report.matched = true;
  if (head.length < sectorBytes) return report.find("header", "ends within its header");
  const header = fieldsOf(head);
  if (header.version < 1 || header.version > 3)
    return report.find("version", `is of version ${header.version}, not 1 to 3`);
  report.size(header.capacity * BigInt(sectorBytes));
  if (header.capacity === 0n) report.find("descriptor", "has no capacity of its own: its descriptor names other files");
  const { descriptorAt, descriptorSectors } = header;
  if (descriptorAt === 0n || descriptorSectors === 0n) return report.find("descriptor", "has no descriptor");
  if (descriptorAt > descriptorAtMax || descriptorSectors > BigInt(pieceBytesMax / sectorBytes))
    return report.find("descriptor", `has a descriptor of ${descriptorSectors} sectors at sector ${descriptorAt}`);
  const bytes = Number(descriptorSectors) * sectorBytes;
  const descriptor = yield* piece(Number(descriptorAt) * sectorBytes, bytes);
  if (descriptor.length < bytes) return report.find("descriptor", "ends within its descriptor");
  checkDescriptor(report, descriptor, vmdkTypes);
  if (header.grainsAt === atEnd) checkFooter(report, header, yield* last(footerBytes));
}

type Header = {
  readonly version: number;
  readonly capacity: bigint;
  readonly descriptorAt: bigint;
  readonly descriptorSectors: bigint;
  readonly grainsAt: bigint;
};

const fieldsOf = (header: Buffer): Header => ({
  version: header.readUInt32LE(4),
  capacity: header.readBigUInt64LE(12),
  descriptorAt: header.readBigUInt64LE(28),
  descriptorSectors: header.readBigUInt64LE(36),
  grainsAt: header.readBigUInt64LE(56),
});

/** A marker, the header once more, and the marker of the end; readers take that second header for the true one. */
function checkFooter(report: Report, header: Header, end: Buffer): void {
  const copy = end.subarray(sectorBytes, 2 * sectorBytes);
  if (end.length < footerBytes || !startsWith(copy, magic)) {
    report.find("footer", "has no footer");
    return;
  }
  const footer = fieldsOf(copy);
  const same =
    footer.version === header.version &&
    footer.capacity === header.capacity &&
    footer.descriptorAt === header.descriptorAt &&
    footer.descriptorSectors === header.descriptorSectors;
  if (!same || footer.grainsAt === atEnd)
    report.find("footer", "says one thing in its header and another in its footer");
}
