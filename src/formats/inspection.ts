// The door of this room: looks at data while it streams by, each byte once, and says which disk image formats it is, how large the disk
// inside is, and what makes it unsafe to open. What an image service makes of that is in judge.ts.
import { lastBytesMax, type Probe, type ProbeOptions, type Report } from "./probe.ts";
import { gpt } from "./probes/gpt.ts";
import { iso } from "./probes/iso.ts";
import { luks } from "./probes/luks.ts";
import { qcow2 } from "./probes/qcow2.ts";
import { qed } from "./probes/qed.ts";
import { vdi } from "./probes/vdi.ts";
import { vhd } from "./probes/vhd.ts";
import { vhdx } from "./probes/vhdx.ts";
import { vmdk } from "./probes/vmdk.ts";
import { ProbeRun } from "./run.ts";
import { Tail } from "./tail.ts";

export const probes: readonly Probe[] = [qcow2, qed, vhd, vhdx, vmdk, vdi, iso, gpt, luks];

/**
 * Most bytes an inspection holds, whatever the data and however it is cut. At most one format claims the beginning of the data and goes on to
 * pieces of 64 KiB; the rest is for the others' first pieces and the end of the stream. A test holds it.
 */
export const heldBytesMax = 73_728;

export class FormatInspection {
  readonly #runs: readonly ProbeRun[];
  readonly #tail = new Tail(lastBytesMax);
  /** Those that wait for something in the middle: none, after the first tens of kilobytes of most data. */
  #reading: readonly ProbeRun[];
  #bytes = 0;

  constructor(options: ProbeOptions) {
    this.#runs = probes.map((probe) => new ProbeRun(probe, options));
    this.#reading = this.#runs;
  }

  add(chunk: Buffer): void {
    if (this.#reading.length > 0) {
      for (const run of this.#reading) run.add(chunk, this.#bytes);
      this.#reading = this.#reading.filter((run) => !run.headersSeen);
    }
    this.#tail.add(chunk);
    this.#bytes += chunk.length;
  }

  /** The stream has no more; the reports are then complete. */
  end(): void {
    for (const run of this.#runs) run.end(this.#tail.bytes, this.#bytes);
    this.#reading = [];
  }

  /** What is still open is known at the end of the stream only. */
  get headersSeen(): boolean {
    return this.#reading.length === 0;
  }

  get fileBytes(): number {
    return this.#bytes;
  }

  /** Bytes held at this moment; at most `heldBytesMax`. */
  get heldBytes(): number {
    return this.#runs.reduce((sum, run) => sum + run.heldBytes, lastBytesMax);
  }

  /** Of the formats the data has so far; several where it has several. */
  get reports(): readonly Report[] {
    return this.#runs.map((run) => run.report).filter(({ matched }) => matched);
  }
}
