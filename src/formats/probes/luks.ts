// LUKS (on-disk format 1.2.3): the data is encrypted, so its header is all that can be looked at. Version 2 is refused: what opens images
// on the hosts (QEMU) reads version 1 alone.
import { last, type Probe, piece, startsWith } from "../probe.ts";

const headerBytes = 592;
const sectorBytes = 512;

export const luks: Probe = {
  format: "luks",
  *read(report) {
    const header = yield* piece(0, headerBytes);
    if (!startsWith(header, "LUKS\xba\xbe")) return;
    report.matched = true;
    if (header.length < 8) return report.find("header", "ends within its header");
    const version = header.readUInt16BE(6);
    if (version !== 1) return report.find("version", `is of version ${version}, not 1`);
    if (header.length < headerBytes) return report.find("header", "ends within its header");
    const payloadAt = header.readUInt32BE(104) * sectorBytes;
    if (payloadAt < headerBytes) return report.find("header", "keeps its data within its header");
    yield* last(0);
    if (payloadAt > report.fileBytes) report.find("header", "ends before its data begins");
    else report.virtualBytes = report.fileBytes - payloadAt;
  },
};
