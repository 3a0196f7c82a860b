// What one engine run may wait for others in all, whichever statement waits; and the line that is said when it is used up.
import { systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import { type Blocker, whoBlocks } from "./blocker.ts";
import type { LockLimits } from "./executor.ts";

/** What waits, for the error. */
export type WaitingFor = { readonly step: string; readonly table: string };

const factOf: Readonly<Record<Blocker["kind"], string>> = {
  thread: "thread",
  process: "process",
  "prepared transaction": "transaction",
};

export class LockBudget {
  readonly limits: LockLimits;
  /** Said where no blocker is seen. */
  readonly nobodySeen: string;
  #waitedMs = 0;

  constructor(limits: LockLimits, nobodySeen: string) {
    this.limits = limits;
    this.nobodySeen = nobodySeen;
  }

  spend(ms: number): void {
    this.#waitedMs += ms;
  }

  /** The part that is used up: 1 is all of it. */
  get spentPart(): number {
    return this.#waitedMs / this.limits.lockBudgetMs;
  }

  /** Throws schema.blocked instead of beginning a pause that would go beyond the budget. */
  async pause(
    ms: number,
    what: WaitingFor & { signal: AbortSignal },
    blockers: readonly Blocker[] = [],
  ): Promise<void> {
    if (this.#waitedMs + ms > this.limits.lockBudgetMs) throw this.blocked(what, blockers);
    await systemClock.sleep(ms, what.signal);
    this.spend(ms);
  }

  blocked({ step, table }: WaitingFor, blockers: readonly Blocker[]): ServiceError {
    const waitedSeconds = Math.round(this.#waitedMs / 1_000);
    const [first] = blockers;
    return new ServiceError(
      "schema.blocked",
      `${step}: table ${table} stayed in use for ${waitedSeconds} s; ${whoBlocks(blockers, this.nobodySeen)}. ` +
        "Nobody waits for us now. End the transaction and run the same command again, or allow more time with --lock-wait-seconds",
      {
        facts: {
          step,
          table,
          waitedSeconds,
          ...(first && {
            [factOf[first.kind]]: first.id,
            user: first.user,
            host: first.host,
            openSeconds: Math.floor(first.seconds),
          }),
        },
      },
    );
  }
}
