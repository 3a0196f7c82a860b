// The contract of whoever carries out changes. Both executors wait politely, retry in a budget, and name who is in the way.
import type { BackfillLimits } from "./backfill-limits.ts";
import type { LiveSchema } from "./live-schema.ts";
import type { Change } from "./step.ts";

export type LockLimits = {
  /** The worst stall a schema change may inflict on others. */
  readonly lockWaitMsMax: number;
  /** How long one engine run may wait for locks in all, pauses and attempts that gave way included. */
  readonly lockBudgetMs: number;
  /** Lets MySQL copy a table where it can do nothing better: writers wait for the whole of it. */
  readonly allowCopy: boolean;
  /** A table of up to this many rows is rebuilt where something cheaper would take more steps: its rebuild takes a moment too. */
  readonly rebuildRowsMax: number;
};

export const defaultLockLimits: LockLimits = {
  lockWaitMsMax: 200,
  lockBudgetMs: 60_000,
  allowCopy: false,
  rebuildRowsMax: 5_000,
};

/** When the next batch of rows may be done, and how large it should be: as in a data migration, whatever the phase. */
export interface BatchPace {
  /** As they stand now; an operator may change them while rows are worked on. */
  readonly limits: Pick<BackfillLimits, "targetMs" | "batchRowsMin" | "batchRowsMax">;
  /** Tells why while it waits; throws what `signal` was aborted with. */
  wait(tell: (why: string) => void, signal: AbortSignal): Promise<void>;
}

export type ExecutorListener = {
  /** Ends waiting at once; what runs already is not cut. */
  readonly signal: AbortSignal;
  /** An attempt gave way, or was not made, because of others; `detail` says who or what. */
  waiting(detail: string): void;
  /** Part of a step that has several. */
  working(detail: string): void;
  /** For a step that works on every row. */
  pace(): Promise<BatchPace>;
};

export interface SchemaExecutor {
  introspect(): Promise<LiveSchema>;
  /**
   * Makes the changes of one step. `isApplied` asks the live schema again: where a statement failed, an earlier run's may have come
   * through in the meantime. Throws schema.blocked when the budget is used up.
   */
  apply(step: StepChanges, listener: ExecutorListener): Promise<void>;
}

export type StepChanges = {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly isApplied: (schema: LiveSchema) => boolean;
};
