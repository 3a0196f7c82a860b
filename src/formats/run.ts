// Feeds one probe from a stream of chunks: gathers exactly the piece it asked for, holds nothing else, and ends a probe that misbehaves.
import assert from "node:assert/strict";
import { errorText } from "../core/errors.ts";
import { type Probe, type ProbeOptions, piecesMax, type Reading, Report, type Want } from "./probe.ts";

export class ProbeRun {
  readonly report: Report;
  readonly #reading: Reading;
  #want: Want | null = null;
  /** A piece that came in parts, as far as it is here; null while none of it is. */
  #held: Buffer | null = null;
  #filled = 0;
  #pieces = 0;
  #readUpTo = 0;

  constructor(probe: Probe, options: ProbeOptions) {
    this.report = new Report(probe.format);
    this.#reading = probe.read(this.report, options);
    this.#resume(Buffer.alloc(0));
  }

  /** It needs nothing more before the end of the stream. */
  get headersSeen(): boolean {
    return this.#want === null || "last" in this.#want;
  }

  get heldBytes(): number {
    return this.#held?.length ?? 0;
  }

  /** `position`: of the chunk's first byte in the stream. */
  add(chunk: Buffer, position: number): void {
    for (let want = this.#want; want && "at" in want; want = this.#want) {
      const from = want.at + this.#filled - position;
      if (from >= chunk.length) return;
      const part = chunk.subarray(from, from + want.bytes - this.#filled);
      if (part.length === want.bytes) {
        this.#resume(part);
        continue;
      }
      this.#held ??= Buffer.allocUnsafe(want.bytes);
      part.copy(this.#held, this.#filled);
      this.#filled += part.length;
      if (this.#filled < want.bytes) return;
      this.#resume(this.#held);
    }
  }

  end(tail: Buffer, fileBytes: number): void {
    this.report.fileBytes = fileBytes;
    while (this.#want)
      this.#resume(
        "last" in this.#want
          ? tail.subarray(Math.max(0, tail.length - this.#want.last))
          : (this.#held ?? Buffer.alloc(0)).subarray(0, this.#filled),
      );
  }

  #resume(bytes: Buffer): void {
    this.#held = null;
    this.#filled = 0;
    try {
      const { value, done } = this.#reading.next(bytes);
      this.#want = done ? null : this.#checked(value);
    } catch (error) {
      // A mistake of the probe's own. Data that cannot be looked at is not to be trusted, and must not end the process either.
      this.#want = null;
      this.report.find("inspection", `could not be inspected (${errorText(error)})`);
    }
  }

  #checked(want: Want): Want {
    assert(++this.#pieces <= piecesMax, "asks for too many pieces");
    if ("last" in want) return want;
    assert(Number.isSafeInteger(want.at) && want.at >= this.#readUpTo && want.bytes > 0, "asks for what went by");
    this.#readUpTo = want.at + want.bytes;
    return want;
  }
}
