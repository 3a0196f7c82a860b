// What a format's probe is: a generator that asks for pieces of a stream, in the order in which they come by, and reports what it found.
// It never sees chunks, so its answer cannot depend on how the data was cut; formats/run.ts gets it the pieces and keeps the bounds.
import assert from "node:assert/strict";

export const formatNames = ["qcow2", "qed", "vhd", "vhdx", "vmdk", "vdi", "iso", "gpt", "luks"] as const;
/** Formats that are recognised; data of which none is, is `raw` to its reader. */
export type FormatName = (typeof formatNames)[number];

/** Why data should not be used: the name of the check it failed, and the reason as the end of a sentence about the data. */
export type Finding = { readonly check: string; readonly text: string };

/** `at`: from the beginning of the stream, never before the end of what was asked for last. `last`: of the stream, known once it has ended. */
export type Want = { readonly at: number; readonly bytes: number } | { readonly last: number };

/**
 * Asks for pieces and is given them; fewer bytes than asked for mean that the stream has no more. A piece is part of somebody else's chunk: what is
 * to be kept beyond the next request is taken out of it first.
 */
export type Reading<T = void> = Generator<Want, T, Buffer>;

/** Most bytes a probe may ask for at once: a table of VHDX, and the longest descriptor of VMDK that is read. */
export const pieceBytesMax = 65_536;
/** Most bytes from the end of the stream a probe may ask for: VMDK's footer with its two markers. */
export const lastBytesMax = 1_536;
/** Most pieces one probe may ask for; ISO 9660 with 16 volume descriptors comes closest. */
export const piecesMax = 24;

export type ProbeOptions = {
  /** createType values of VMDK that are taken. */
  readonly vmdkTypes: readonly string[];
};

export type Probe = {
  readonly format: FormatName;
  readonly read: (report: Report, options: ProbeOptions) => Reading;
};

/** What one probe found so far. */
export class Report {
  readonly format: FormatName;
  readonly findings: Finding[] = [];
  /** The data is of this format. */
  matched = false;
  /** The data is a plain disk with something behind it, so that it may be partitioned as well: a fixed VHD. */
  plainDisk = false;
  /** Bytes of the disk inside; null where that is not known. */
  virtualBytes: number | null = null;
  /** Of the whole stream; known once a piece from its end was answered. */
  fileBytes = 0;

  constructor(format: FormatName) {
    this.format = format;
  }

  find(check: string, text: string): void {
    this.matched = true;
    this.findings.push({ check, text });
  }

  /** A size that no number of ours can hold is a finding: no such disk exists. */
  size(bytes: bigint): void {
    if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) this.virtualBytes = Number(bytes);
    else this.find("size", `claims a disk of ${bytes} bytes`);
  }
}

export function* piece(at: number, bytes: number): Reading<Buffer> {
  assert(bytes <= pieceBytesMax, "a probe asks for bounded pieces");
  return yield { at, bytes };
}

export function* last(bytes: number): Reading<Buffer> {
  assert(bytes <= lastBytesMax, "a probe asks for a bounded end");
  return yield { last: bytes };
}

export const startsWith = (bytes: Buffer, magic: string, at = 0): boolean =>
  bytes.length >= at + magic.length && bytes.toString("latin1", at, at + magic.length) === magic;
