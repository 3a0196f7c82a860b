// ISO 9660 (ECMA-119) and UDF (ECMA-167): volume descriptors from the 32 KiB mark on. The size is what the primary descriptor says.
import { last, type Probe, piece, startsWith } from "../probe.ts";

const firstAt = 32_768;
const descriptorBytes = 2_048;
const descriptorsMax = 16;
const identifiers = ["CD001", "BEA01", "NSR02", "NSR03"];
const primary = 1;
const terminator = 255;

export const iso: Probe = {
  format: "iso",
  *read(report) {
    for (let number = 0; number < descriptorsMax; number++) {
      const descriptor = yield* piece(firstAt + number * descriptorBytes, descriptorBytes);
      const identifier = identifiers.find((known) => startsWith(descriptor, known, 1));
      if (identifier === undefined) break;
      report.matched = true;
      if (identifier !== "CD001" || descriptor[0] === terminator) break;
      if (descriptor[0] !== primary) continue;
      if (descriptor.length < descriptorBytes) return report.find("header", "ends within its volume descriptor");
      const bytes = descriptor.readUInt32LE(80) * descriptor.readUInt16LE(128);
      if (bytes > 0) report.virtualBytes = bytes;
      break;
    }
    if (!report.matched || report.virtualBytes !== null) return;
    yield* last(0);
    report.virtualBytes = report.fileBytes;
  },
};
