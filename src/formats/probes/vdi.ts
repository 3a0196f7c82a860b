// VirtualBox's VDI, version 1.1: an informative text, a signature, and a header of fixed fields.
import { type Probe, piece } from "../probe.ts";

const headerBytes = 512;
const signature = 0xbeda107f;
const [dynamicDisk, fixedDisk, differencing] = [1, 2, 4];
const [signatureAt, versionAt, typeAt, sizeAt, parentAt] = [64, 68, 76, 368, 424];
const guidBytes = 16;

export const vdi: Probe = {
  format: "vdi",
  *read(report) {
    const header = yield* piece(0, headerBytes);
    if (header.length < versionAt || header.readUInt32LE(signatureAt) !== signature) return;
    report.matched = true;
    if (header.length < headerBytes) return report.find("header", "ends within its header");
    const version = header.readUInt32LE(versionAt);
    if (version !== 0x10001) return report.find("version", `is of version 0x${version.toString(16)}, not 1.1`);
    report.size(header.readBigUInt64LE(sizeAt));
    const type = header.readUInt32LE(typeAt);
    const parent = header.subarray(parentAt, parentAt + guidBytes);
    if (type === differencing || parent.some((byte) => byte !== 0))
      report.find("backing_file", "is the difference to a parent disk");
    else if (type !== dynamicDisk && type !== fixedDisk)
      report.find("type", `is of type ${type}, not dynamic or fixed`);
  },
};
