// Decides when a data migration, or a step of contract that works on every row, may do its next batch: not while it is paused, and not at once while the server, its replicas or the
// nodes of the fleet have too much to do.
import { systemClock } from "../../core/clock.ts";
import type { Database } from "../database.ts";
import { type BackfillLimits, defaultBackfillLimits } from "./backfill-limits.ts";
import { type BatchDialect, batchDialectOf } from "./batch-dialect.ts";
import { liveNodes } from "./contract-blockers.ts";
import type { BatchPace } from "./executor.ts";
import { type AdjustableLimits, readControls } from "./migrate-controls.ts";
import { DatabaseProgress } from "./progress-store.ts";
import type { ProgressStore } from "./step.ts";
import { Throttle } from "./throttle.ts";

/** A server that copies the one we work on. */
export type Replica = {
  /** As an operator knows it; without a password. */
  readonly name: string;
  readonly db: Database;
};

const controlsEveryMs = 1_000;
const slowChecksEveryMs = 1_000;
const pausePollMs = 500;
const answerMsMax = 2_000;

export class Pace implements BatchPace {
  readonly #given: BackfillLimits;
  readonly #progress: Pick<ProgressStore, "find">;
  readonly #throttle: Throttle;
  #changed: AdjustableLimits = {};
  #paused = false;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(
    db: Database,
    given: BackfillLimits,
    means: { dialect: BatchDialect; progress: Pick<ProgressStore, "find">; replicas: readonly Replica[] },
  ) {
    const { dialect, progress, replicas } = means;
    this.#given = given;
    this.#progress = progress;
    let slow: string | null = null;
    let slowMs = Number.NEGATIVE_INFINITY;
    this.#throttle = new Throttle(async () => {
      // Replicas and nodes report about once a second at best.
      if (performance.now() - slowMs >= slowChecksEveryMs) {
        slow = (await laggingReplica(dialect, replicas, this.limits)) ?? (await slowNode(db, this.limits));
        slowMs = performance.now();
      }
      return slow ?? dialect.pressure(this.limits);
    });
  }

  /** With the limits that hold where nobody gave others. */
  static async standard(db: Database): Promise<Pace> {
    const [dialect, progress] = [await batchDialectOf(db), await DatabaseProgress.reader(db)];
    return new Pace(db, defaultBackfillLimits, { dialect, progress, replicas: [] });
  }

  get limits(): BackfillLimits {
    return { ...this.#given, ...this.#changed };
  }

  /** Returns when the next batch may be done, and at `endMs` (of performance.now) at the latest. Tells why while it waits. */
  async wait(
    tell: (why: string) => void,
    signal: AbortSignal,
    endMs: number = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    await this.#read();
    while (this.#paused && performance.now() < endMs) {
      tell("paused; `glance-manage db migrate --resume` lets it go on");
      await systemClock.sleep(pausePollMs, signal);
      await this.#read();
    }
    await this.#throttle.wait(tell, signal);
  }

  async #read(): Promise<void> {
    const everyMs = this.#paused ? pausePollMs : controlsEveryMs;
    if (performance.now() - this.#readMs < everyMs) return;
    const { paused, limits } = await readControls(this.#progress);
    this.#paused = paused;
    this.#changed = limits;
    this.#readMs = performance.now();
  }
}

async function laggingReplica(
  dialect: BatchDialect,
  replicas: readonly Replica[],
  { replicaLagSecondsMax }: BackfillLimits,
): Promise<string | null> {
  for (const { name, db } of replicas) {
    try {
      const seconds = await inTime(dialect.replicaLag(db));
      if (seconds === null) return `replica ${name} does not replicate`;
      if (seconds > replicaLagSecondsMax)
        return `replica ${name} is ${seconds} s behind (limit ${replicaLagSecondsMax})`;
    } catch {
      // Whether it keeps up cannot be known, so it counts as not keeping up.
      return `replica ${name} does not answer`;
    }
  }
  return null;
}

/** A host that went away without a word must not hold the migration up for as long as its connection lives. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = new AbortController();
  const limit = systemClock.sleep(answerMsMax, late.signal).then(() => {
    throw new Error("no answer in time");
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    late.abort();
    // The loser's outcome is nobody's business any more.
    answer.catch(() => undefined);
    limit.catch(() => undefined);
  }
}

async function slowNode(db: Database, { p99MsMax }: BackfillLimits): Promise<string | null> {
  if (!Number.isFinite(p99MsMax)) return null;
  for (const { name, p99Ms } of await liveNodes(db))
    if (p99Ms !== null && p99Ms > p99MsMax)
      return `requests of node ${name} take ${Math.round(p99Ms)} ms at the 99th percentile (limit ${p99MsMax})`;
  return null;
}
