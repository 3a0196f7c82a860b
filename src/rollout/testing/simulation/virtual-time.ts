// Time that passes only when everybody waits: what was asked to happen later happens in order, as fast as this machine can. A process
// in it can be killed, and whatever it waited for never comes; or frozen, and everything it waited for comes late.
import type { Clock } from "../../../core/clock.ts";
import type { Every } from "../../lease.ts";

type Entry = { readonly atMs: number; readonly order: number; fire: (() => void) | null };

export class VirtualTime {
  nowMs = 0;
  readonly #heap: Entry[] = [];
  #order = 0;

  /** Returns a function that takes it back. */
  at(atMs: number, fire: () => void): () => void {
    const entry: Entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, fire };
    this.#push(entry);
    return () => {
      entry.fire = null;
    };
  }

  /** Lets time pass until `isOver`; false where nothing is left to happen before that. */
  async run(isOver: () => boolean): Promise<boolean> {
    await settled();
    while (!isOver()) {
      const next = this.#pop();
      if (!next) return false;
      if (!next.fire) continue;
      this.nowMs = next.atMs;
      next.fire();
      await settled();
    }
    return true;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (!left) break;
      const smaller = right && isBefore(right, left) ? right : left;
      if (smaller === right) child++;
      if (!isBefore(smaller, last)) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}

/** Everybody has gone on as far as they can. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class SimulatedProcess {
  readonly #time: VirtualTime;
  readonly #beforeWait: (process: SimulatedProcess) => void;
  readonly #gone = Promise.withResolvers<"killed">();
  #isAlive = true;
  #frozenUntilMs = 0;
  /** What a host that is frozen must not be in the middle of: no lease can call back what its driver has sent already. */
  isActing = false;

  /** `beforeWait` sees each wait, which is each point where a process can be killed. */
  constructor(time: VirtualTime, beforeWait: (process: SimulatedProcess) => void) {
    this.#time = time;
    this.#beforeWait = beforeWait;
  }

  /** `skewMs`: how far the wall clock of its host is from the right time. */
  clock(skewMs: number): Clock {
    const epochMs = Date.UTC(2026, 0, 1);
    return {
      nowMs: () => epochMs + this.#time.nowMs + skewMs,
      monotonicMs: () => this.#time.nowMs,
      sleep: (ms, signal) => this.sleep(ms, signal),
    };
  }

  readonly every: Every = (ms, work) => {
    let isOver = false;
    const next = () => {
      this.#later(ms, () => {
        if (isOver) return;
        work();
        next();
      });
    };
    next();
    return () => {
      isOver = true;
    };
  };

  /** Resolves when it was killed. */
  get gone(): Promise<"killed"> {
    return this.#gone.promise;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  kill(): void {
    this.#isAlive = false;
    this.#gone.resolve("killed");
  }

  freeze(forMs: number): void {
    this.#frozenUntilMs = this.#time.nowMs + forMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#beforeWait(this);
    return new Promise((resolve, reject) => {
      if (!this.#isAlive) return;
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        if (this.#isAlive) reject(signal?.reason);
      };
      const cancel = this.#later(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #later(ms: number, fire: () => void): () => void {
    let cancel: () => void = () => undefined;
    const due = () => {
      if (!this.#isAlive) return;
      if (this.#frozenUntilMs > this.#time.nowMs) cancel = this.#time.at(this.#frozenUntilMs, due);
      else fire();
    };
    cancel = this.#time.at(this.#time.nowMs + ms, due);
    return () => cancel();
  }
}
