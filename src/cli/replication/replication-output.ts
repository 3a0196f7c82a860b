// What glance-replicator says while it works: a line for each image on standard output, in a terminal the transfer at hand with its rate and
// the time it has left, failures on standard error.
import { createLiveLine } from "../live-line.ts";

const liveEveryMs = 200;
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export class ReplicationOutput {
  /** Images that were left behind. */
  failures = 0;
  readonly #verbose: boolean;
  readonly #live = process.stderr.isTTY ? createLiveLine(process.stderr) : undefined;

  constructor(options: { readonly verbose: boolean }) {
    this.#verbose = options.verbose;
  }

  line(text: string): void {
    this.#live?.clear();
    process.stdout.write(`${text}\n`);
  }

  /** Said with --verbose alone. */
  detail(text: string): void {
    if (this.#verbose) this.line(text);
  }

  failure(text: string): void {
    this.failures++;
    this.#live?.clear();
    process.stderr.write(`glance-replicator: ${text}\n`);
  }

  /** Is to be called with the bytes of each piece. */
  transfer(label: string, bytesTotal: number): (bytes: number) => void {
    const sinceMs = performance.now();
    let bytesDone = 0;
    let toldMs = sinceMs;
    return (bytes) => {
      bytesDone += bytes;
      const nowMs = performance.now();
      if (!this.#live || nowMs - toldMs < liveEveryMs) return;
      toldMs = nowMs;
      this.#live(`${label}: ${transferText(bytesDone, bytesTotal, (nowMs - sinceMs) / 1_000)}`);
    };
  }

  /** The last line of the terminal is free again. */
  end(): void {
    this.#live?.clear();
  }
}

/** How far it is, how fast it goes, and what is left at this rate. */
export function transferText(bytesDone: number, bytesTotal: number, seconds: number): string {
  const rate = seconds > 0 ? bytesDone / seconds : 0;
  const left = rate > 0 ? `, ${Math.ceil((bytesTotal - bytesDone) / rate)} s left` : "";
  return `${bytesText(bytesDone)} of ${bytesText(bytesTotal)}, ${bytesText(rate)}/s${left}`;
}

export function bytesText(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1_024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
