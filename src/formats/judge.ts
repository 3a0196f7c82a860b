// What an image service makes of an inspection: whether the data may be taken under the format its owner claims, and how large its disk is.
import type { FormatInspection } from "./inspection.ts";
import { type Finding, type FormatName, formatNames, type Report } from "./probe.ts";

/** Checks of partitioned disks that an operator may turn into warnings. */
export const gptChecks = ["mbr"] as const;

export type JudgeOptions = {
  /** Of `gptChecks`. */
  readonly gptChecksNonfatal: readonly string[];
};

/** Why data is refused. */
export type Refusal = { readonly check: string; readonly text: string };

const isFormat = (claimed: string): claimed is FormatName => formatNames.some((name) => name === claimed);

/**
 * The first reason to refuse the data under the format `claimed`, or null. Asked once all headers were seen, so that the rest need not be
 * read, and again at the end. Data claimed as raw, or as anything that is not recognised by content (ami, ploop, an operator's own), may be
 * whatever it is, and has to be safe as that.
 */
export function refusalOf(
  inspection: FormatInspection,
  claimed: string,
  options: JudgeOptions,
  ended: boolean,
): Refusal | null {
  const reports = counted(inspection.reports);
  const names = reports.map(({ format }) => format);
  if (formatsOf(reports).length > 1)
    return { check: "several", text: `The data looks like several formats at once (${names.join(", ")}).` };
  for (const { format, findings } of reports)
    for (const finding of findings) if (isFatal(format, finding, options)) return unsafe(format, finding);
  // A fixed VHD is known by its end.
  const maybe = claimed === "vhd" && !ended && names.every((name) => name === "gpt");
  if (!isFormat(claimed) || names.includes(claimed) || maybe) return null;
  return { check: "mismatch", text: `The data is ${names[0] ?? "raw"}, not ${claimed} as disk_format says.` };
}

/** Findings that are not fatal, once the inspection has ended. */
export function warningsOf(inspection: FormatInspection, options: JudgeOptions): readonly Refusal[] {
  return counted(inspection.reports).flatMap(({ format, findings }) =>
    findings.filter((finding) => !isFatal(format, finding, options)).map((finding) => unsafe(format, finding)),
  );
}

/** Bytes of the disk, once the inspection has ended; null where the data does not say, or is not what it was claimed to be. */
export function virtualBytesOf(inspection: FormatInspection, claimed: string): number | null {
  if (inspection.fileBytes === 0) return null;
  if (claimed === "raw") return inspection.fileBytes;
  return inspection.reports.find(({ format }) => format === claimed)?.virtualBytes ?? null;
}

/** The format of data that `refusalOf` does not refuse. A partitioned disk is a raw one. */
export function diskFormatOf(inspection: FormatInspection): FormatName | "raw" {
  const [report] = counted(inspection.reports).filter(({ format }) => format !== "gpt");
  return report?.format ?? "raw";
}

/** An ISO image that also boots from a stick is partitioned in its own strange ways: it counts as ISO alone. */
function counted(reports: readonly Report[]): readonly Report[] {
  return reports.some(({ format }) => format === "iso") ? reports.filter(({ format }) => format !== "gpt") : reports;
}

/** A fixed VHD is a plain disk, so its content may be partitioned. */
function formatsOf(reports: readonly Report[]): readonly Report[] {
  const plain = reports.some(({ plainDisk }) => plainDisk);
  return plain ? reports.filter(({ format }) => format !== "gpt") : reports;
}

const isFatal = (format: FormatName, { check }: Finding, { gptChecksNonfatal }: JudgeOptions): boolean =>
  format !== "gpt" || !gptChecksNonfatal.includes(check);

const unsafe = (format: FormatName, { check, text }: Finding): Refusal => ({
  check: `${format}.${check}`,
  text: `The data is refused: this ${format} ${text}.`,
});
