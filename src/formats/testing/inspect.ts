// Inspects data given in chunks, and holds the promises that every inspection makes on the way.
import assert from "node:assert/strict";
import { FormatInspection, heldBytesMax } from "../inspection.ts";

export const vmdkTypes = ["monolithicSparse", "streamOptimized"];

/** `sizes`: of the chunks, taken in turn, zeros left out; the data is one chunk where there are none. */
export function inspect(bytes: Buffer, sizes: readonly number[] = []): FormatInspection {
  const inspection = new FormatInspection({ vmdkTypes });
  const usable = sizes.filter((size) => size > 0);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const end = Math.min(bytes.length, at + (usable[turn % usable.length] ?? bytes.length));
    const chunk = Buffer.from(bytes.subarray(at, end));
    inspection.add(chunk);
    assert(inspection.heldBytes <= heldBytesMax, `${inspection.heldBytes} bytes held`);
    // Whoever gave the chunk may use it again: nothing of it may be needed later.
    chunk.fill(0xa5);
    at = end;
  }
  inspection.end();
  return inspection;
}

/** What was found, in short: `format` and `format.check`. */
export function found(inspection: FormatInspection): readonly string[] {
  return inspection.reports.flatMap(({ format, findings }) => [
    format,
    ...findings.map(({ check }) => `${format}.${check}`),
  ]);
}

export const virtualBytes = (inspection: FormatInspection): number | null | undefined =>
  inspection.reports[0]?.virtualBytes;
