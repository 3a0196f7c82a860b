// Every request of the traffic and what became of it: counts and latencies per kind and per window, failures in full, and the
// transfers under way. Nothing is retried or forgiven here: a request that did not answer as it must is a failed one.
import { build, type Histogram } from "hdr-histogram-js";

export type Window = "load" | "control" | "rollout" | "after";

export type Outcome = {
  readonly kind: string;
  /** Its time depends on how many bytes it moves: left out of the latency windows, told by its kind. */
  readonly transfer: boolean;
  readonly window: Window;
  readonly startedMs: number;
  /** What was wrong; absent where all was right. */
  readonly failure?: string;
  readonly cut?: boolean;
};

/** Times are those of performance.now(). */
export type Failure = {
  readonly kind: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly what: string;
};

export type KindCount = { readonly kind: string; readonly requests: number; readonly failed: number } & Latency;

export type Latency = { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };

type KindEntry = { requests: number; failed: number; histogram: Histogram };

const failuresKeptMax = 2_000;

export class Recorder {
  /** Where requests that start from now on are counted. */
  window: Window = "load";
  requests = 0;
  failed = 0;
  /** Uploads and downloads that ended before their last byte. */
  cut = 0;
  readonly failures: Failure[] = [];
  /** Transfers under way now, by the label each was begun with. */
  readonly transfers = new Map<number, string>();
  readonly #kinds = new Map<string, KindEntry>();
  readonly #windows = new Map<Window, Histogram>();
  #nextTransfer = 1;
  readonly #awaited = new Set<{ readonly requests: number; reached(): void }>();

  record(outcome: Outcome): void {
    const entry = this.#kinds.get(outcome.kind) ?? { requests: 0, failed: 0, histogram: histogram() };
    this.#kinds.set(outcome.kind, entry);
    entry.requests++;
    this.requests++;
    for (const one of this.#awaited) if (this.requests >= one.requests) one.reached();
    const endedMs = performance.now();
    const microseconds = Math.max(1, Math.round((endedMs - outcome.startedMs) * 1_000));
    entry.histogram.recordValue(microseconds);
    if (!outcome.transfer) this.#window(outcome.window).recordValue(microseconds);
    if (outcome.cut) this.cut++;
    if (outcome.failure === undefined) return;
    entry.failed++;
    this.failed++;
    const { kind, startedMs, failure: what } = outcome;
    if (this.failures.length < failuresKeptMax) this.failures.push({ kind, startedMs, endedMs, what });
  }

  /** Resolves when so many more requests have ended. Rejects with the signal's reason. */
  more(requests: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#awaited.delete(one);
        signal.removeEventListener("abort", abandon);
      };
      const abandon = () => {
        end();
        reject(signal.reason);
      };
      const one = {
        requests: this.requests + requests,
        reached() {
          end();
          resolve();
        },
      };
      this.#awaited.add(one);
      signal.addEventListener("abort", abandon, { once: true });
      if (signal.aborted) abandon();
    });
  }

  beginTransfer(label: string): { end(): void } {
    const id = this.#nextTransfer++;
    this.transfers.set(id, label);
    return { end: () => void this.transfers.delete(id) };
  }

  /** Full response times of all but the transfers, of requests that started in `window`. */
  latency(window: Window): Latency {
    return latencyOf(this.#window(window));
  }

  requestsIn(window: Window): number {
    return this.#window(window).totalCount;
  }

  byKind(): readonly KindCount[] {
    return [...this.#kinds]
      .map(([kind, entry]) => ({
        kind,
        requests: entry.requests,
        failed: entry.failed,
        ...latencyOf(entry.histogram),
      }))
      .sort((one, other) => one.kind.localeCompare(other.kind));
  }

  #window(window: Window): Histogram {
    const found = this.#windows.get(window) ?? histogram();
    this.#windows.set(window, found);
    return found;
  }
}

function histogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 });
}

function latencyOf(found: Histogram): Latency {
  const ms = (microseconds: number) => Math.round(microseconds / 10) / 100;
  if (found.totalCount === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 };
  return {
    p50Ms: ms(found.getValueAtPercentile(50)),
    p99Ms: ms(found.getValueAtPercentile(99)),
    maxMs: ms(found.maxValue),
  };
}
