// QEMU's qcow2, versions 2 and 3 (docs/interop/qcow2 of QEMU). A header can make whoever opens the image read other files of the host: those
// headers are findings.
import { type Probe, piece, startsWith } from "../probe.ts";

const headerBytes = { 2: 72, 3: 104 } as const;
const dataFileBit = 1n << 2n;
/** Dirty, corrupt, external data file, compression type, extended L2 entries. */
const knownBits = 0b1_1111n;

export const qcow2: Probe = {
  format: "qcow2",
  *read(report) {
    const header = yield* piece(0, headerBytes[3]);
    if (!startsWith(header, "QFI\xfb")) return;
    report.matched = true;
    const version = header.length >= 8 ? header.readUInt32BE(4) : 0;
    if (version !== 2 && version !== 3) return report.find("version", `is of version ${version}, not 2 or 3`);
    if (header.length < headerBytes[version]) return report.find("header", "ends within its header");
    report.size(header.readBigUInt64BE(24));
    if (header.readBigUInt64BE(8) !== 0n) report.find("backing_file", "names a backing file");
    if (version === 2) return;
    const incompatible = header.readBigUInt64BE(72);
    if (incompatible & dataFileBit) report.find("data_file", "keeps its data in another file");
    const unknown = incompatible & ~knownBits;
    if (unknown) report.find("unknown_features", `needs features that are not known (0x${unknown.toString(16)})`);
  },
};
