// What every act of the engine shares: its options, the events it tells of itself, and the lock that lets only one of them run.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Release, ReleaseId } from "../../releases/catalogue.ts";
import { withAdvisoryLock } from "../advisory-lock.ts";
import type { Database } from "../database.ts";
import type { LockLimits } from "./executor.ts";
import { refuseHalfRestored } from "./restore-marker.ts";
import type { PhaseName } from "./step.ts";

export type EnginePhase = "create" | PhaseName | "verify" | "revert" | "indexes";

export type EngineEvent =
  /** One line per step and status, `started` before anything is done, and then one of the last two. */
  | {
      readonly event: "step";
      readonly phase: EnginePhase;
      readonly release: ReleaseId;
      readonly step: string;
      /** From 1, of `steps`. */
      readonly index: number;
      readonly steps: number;
      readonly status: "started" | "waiting" | "working" | "applied" | "already_applied";
      /** Since `started`; absent there. */
      readonly ms?: number;
      /** While waiting: for whom. While working: at which part. */
      readonly detail?: string;
    }
  /** At most one every half second while rows are worked on, and one at the end. */
  | {
      readonly event: "progress";
      readonly phase: "migrate" | "verify" | "purge";
      readonly release: ReleaseId;
      readonly step: string;
      readonly rowsDone: number;
      /** null where it is not known. */
      readonly rowsTotal: number | null;
      /** `rowsTotal` is what the server's bookkeeping says, which may be some tenths off; absent where it was counted. */
      readonly rowsTotalEstimated?: true;
      readonly rowsPerSecond: number;
      readonly etaSeconds: number | null;
      readonly batchRows: number;
      /** Why it goes slowly at the moment, if it does. */
      readonly detail?: string;
    }
  | { readonly event: "warning"; readonly text: string };

export type EngineOptions = {
  readonly db: Database;
  /** Where to: phases of every release up to this one. */
  readonly target: Release;
  readonly limits?: Partial<LockLimits>;
  readonly on?: (event: EngineEvent) => void;
  /** Ends the work at the next safe point; running the same act again goes on from there. */
  readonly signal?: AbortSignal;
  /** How long contract watches a node whose heartbeat is in doubt. Default: a little more than the longest time between two. */
  readonly nodeWatchMs?: number;
  /** How long to wait for another engine run to end. Default 0. */
  readonly engineLockMs?: number;
};

/** Options made complete. */
export type EngineRun = {
  readonly db: Database;
  readonly target: Release;
  readonly limits: Partial<LockLimits>;
  readonly on: (event: EngineEvent) => void;
  readonly signal: AbortSignal;
  readonly nodeWatchMs?: number | undefined;
};

/** Of everything that changes the schema, and of what must see it unchanged. */
export const engineLockName = "perennial-schema";

/** Runs `work` alone: one engine run per database at a time. Throws schema.locked where another is under way, and where a restore was cut. */
export function withEngineLock<T>(options: EngineOptions, work: (run: EngineRun) => Promise<T>): Promise<T> {
  return withAdvisoryLock(
    options.db,
    engineLockName,
    async (lost) => {
      await refuseHalfRestored(options.db);
      const signal = options.signal ? AbortSignal.any([options.signal, lost]) : lost;
      const { db, target, limits = {}, on = () => undefined, nodeWatchMs } = options;
      return work({ db, target, limits, on, signal, nodeWatchMs }).catch(sayHowToGoOn);
    },
    { waitMsMax: options.engineLockMs ?? 0 },
  );
}

/** The connection was lost in the midst of the work. */
function sayHowToGoOn(error: unknown): never {
  if (!isServiceError(error, "db.unreachable")) throw error;
  const { facts, cause } = error;
  throw new ServiceError(
    "db.unreachable",
    `${error.message}; what is done stands: run the same command again, and it goes on`,
    { facts, cause },
  );
}
