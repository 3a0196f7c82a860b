// QEMU's QED, given up by its makers in favour of qcow2: always refused, since nothing here opens it and it may name a backing file.
import { type Probe, piece, startsWith } from "../probe.ts";

const sizeAt = 48;

export const qed: Probe = {
  format: "qed",
  *read(report) {
    const header = yield* piece(0, sizeAt + 8);
    if (!startsWith(header, "QED\0")) return;
    report.find("banned", "is of a format that is not in use any more; convert it to qcow2");
    if (header.length === sizeAt + 8) report.size(header.readBigUInt64LE(sizeAt));
  },
};
