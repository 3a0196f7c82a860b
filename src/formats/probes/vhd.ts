// Microsoft's VHD (Virtual Hard Disk Image Format Specification 1.0). Its 512-byte footer stands at the end; dynamic disks carry a copy of it
// at the beginning. A fixed disk is a plain disk with that footer behind it, and is known as VHD at its end only.
import { last, type Probe, piece, type Report, startsWith } from "../probe.ts";

const magic = "conectix";
const footerBytes = 512;
const [fixed, dynamic, differencing] = [2, 3, 4];

type Footer = { readonly diskType: number; readonly sizeBytes: bigint };

const parse = (bytes: Buffer): Footer => ({ diskType: bytes.readUInt32BE(60), sizeBytes: bytes.readBigUInt64BE(48) });

export const vhd: Probe = {
  format: "vhd",
  *read(report) {
    const first = yield* piece(0, footerBytes);
    let leading: Footer | null = null;
    if (startsWith(first, magic)) {
      report.matched = true;
      if (first.length < footerBytes) return report.find("header", "ends within its header");
      leading = parse(first);
      check(report, leading);
    }
    const end = footerAtEnd(yield* last(footerBytes));
    if (!end) return;
    report.matched = true;
    if (!leading) {
      report.plainDisk = end.diskType === fixed;
      check(report, end);
      if (end.diskType === dynamic) report.find("footer", "has the footer of a dynamic disk, and not its header");
      return;
    }
    if (leading.diskType !== end.diskType || leading.sizeBytes !== end.sizeBytes)
      report.find("footer", "says one thing in its header and another in its footer");
  },
};

function check(report: Report, { diskType, sizeBytes }: Footer): void {
  report.size(sizeBytes);
  if (diskType === differencing) report.find("backing_file", "is the difference to a parent disk");
  else if (diskType !== fixed && diskType !== dynamic)
    report.find("type", `is of type ${diskType}, not fixed or dynamic`);
}

/** Versions before Virtual PC 2004 wrote one byte less. */
function footerAtEnd(end: Buffer): Footer | null {
  for (const bytes of [footerBytes, footerBytes - 1]) {
    const footer = end.subarray(Math.max(0, end.length - bytes));
    if (footer.length === bytes && startsWith(footer, magic)) return parse(footer);
  }
  return null;
}
