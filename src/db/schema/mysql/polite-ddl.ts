// Runs one DDL statement politely: first without waiting at all, then, if the table is merely busy, waiting under the lock guard; with
// pauses in between, and a budget for all waiting of an engine run, after which it gives up and names who is in the way.
import { systemClock } from "../../../core/clock.ts";
import { ServiceError } from "../../../core/errors.ts";
import type { Session } from "../../database.ts";
import type { LockLimits } from "../executor.ts";
import { type Blocker, describeBlocker, lockHolders, longTransactions } from "./blockers.ts";
import { runGuarded, tryWithoutWaiting } from "./lock-guard.ts";

/** A rebuild or index build that lost its end to somebody's new transaction is begun again this often. */
const expensiveAttemptsMax = 5;
/** Transactions that are open for this long are not expected to end in a moment. */
const oldSeconds = 2;
const pollMs = 250;

export type Attempt = {
  /** Shown to the operator when it is given up. */
  readonly step: string;
  readonly sql: string;
  readonly table: string;
  /** Takes long when it runs, so it is not begun while an old transaction could spoil its end. */
  readonly expensive: boolean;
  /** Asked between attempts: an earlier run's statement may have come through. */
  isDone(): Promise<boolean>;
  /** What it waits for. */
  waiting(detail: string): void;
  readonly signal: AbortSignal;
};

export class PoliteDdl {
  readonly #session: Session;
  readonly #watcher: Session;
  readonly #limits: LockLimits;
  readonly #knowsNoWait: boolean;
  #waitedMs = 0;

  /** `knowsNoWait`: the server takes a lock_wait_timeout of 0. */
  constructor(session: Session, watcher: Session, limits: LockLimits, knowsNoWait: boolean) {
    this.#session = session;
    this.#watcher = watcher;
    this.#limits = limits;
    this.#knowsNoWait = knowsNoWait;
  }

  /** Throws schema.blocked when the budget is used up, and the statement's own errors. */
  async run(attempt: Attempt): Promise<void> {
    let told = false;
    for (let gaveWay = 0; ; ) {
      if (await this.#tryQuickly(attempt)) return;
      const old = await this.#oldBlockers(attempt.table);
      if (old.length > 0 && this.#isWorthWaiting(attempt)) {
        if (!told) attempt.waiting(`waits without holding anybody up; ${whoBlocks(old)}`);
        told = true;
        await this.pause(pollMs, attempt, old);
        continue;
      }
      const startMs = performance.now();
      const result = await runGuarded(this.#session, this.#watcher, attempt.sql, this.#limits.lockWaitMsMax);
      if (result.outcome === "done") return;
      gaveWay++;
      // What an expensive statement worked for in vain was not waiting.
      this.#waitedMs += attempt.expensive ? result.waitedMs : performance.now() - startMs;
      const blockers = await this.#blockersNow(attempt.table);
      attempt.waiting(`gave way after ${result.waitedMs} ms; ${whoBlocks(blockers)}`);
      if (await attempt.isDone()) return;
      if (attempt.expensive && gaveWay >= expensiveAttemptsMax) throw this.#blocked(attempt, blockers);
      // Longer and longer, and never in step with others who do the same.
      await this.pause(Math.min(250 * 2 ** (gaveWay - 1), 2_000) * (0.75 + Math.random() / 2), attempt, blockers);
    }
  }

  /** Counts against the budget. */
  async pause(
    ms: number,
    attempt: Pick<Attempt, "step" | "table" | "signal">,
    blockers: readonly Blocker[] = [],
  ): Promise<void> {
    if (this.#waitedMs + ms > this.#limits.lockBudgetMs) throw this.#blocked(attempt, blockers);
    await systemClock.sleep(ms, attempt.signal);
    this.#waitedMs += ms;
  }

  async #tryQuickly(attempt: Attempt): Promise<boolean> {
    if (attempt.expensive || !this.#knowsNoWait) return false;
    const startMs = performance.now();
    if (await tryWithoutWaiting(this.#session, attempt.sql)) return true;
    this.#waitedMs += performance.now() - startMs;
    return false;
  }

  /**
   * While an old transaction is open, an attempt that waits would most likely stall others in vain. Where tries without waiting are
   * possible, they go on in between, at no cost to anybody. Yet the transaction may have nothing to do with this table and the table may
   * be too busy for such tries, so before the budget ends, the guard has its turn.
   */
  #isWorthWaiting(attempt: Attempt): boolean {
    const part = this.#knowsNoWait ? 0.9 : 0.5;
    return attempt.expensive || this.#waitedMs < this.#limits.lockBudgetMs * part;
  }

  async #oldBlockers(table: string): Promise<readonly Blocker[]> {
    const holders = (await lockHolders(this.#watcher, table, this.#ownIds)).filter((one) => one.seconds >= oldSeconds);
    return holders.length > 0 ? holders : ((await longTransactions(this.#watcher, oldSeconds, this.#ownIds)) ?? []);
  }

  async #blockersNow(table: string): Promise<readonly Blocker[]> {
    const holders = await lockHolders(this.#watcher, table, this.#ownIds);
    return holders.length > 0 ? holders : ((await longTransactions(this.#watcher, 0, this.#ownIds)) ?? []);
  }

  get #ownIds(): readonly number[] {
    return [this.#session.connectionId, this.#watcher.connectionId].filter((id) => id !== null);
  }

  #blocked({ step, table }: Pick<Attempt, "step" | "table">, blockers: readonly Blocker[]): ServiceError {
    const waitedSeconds = Math.round(this.#waitedMs / 1_000);
    const [first] = blockers;
    return new ServiceError(
      "schema.blocked",
      `${step}: table ${table} stayed in use for ${waitedSeconds} s; ${whoBlocks(blockers)}. ` +
        "Nobody waits for us now. End the transaction and run the same command again, or allow more time with --lock-wait-seconds",
      {
        facts: {
          step,
          table,
          waitedSeconds,
          ...(first && { thread: first.threadId, user: first.user, host: first.host, openSeconds: first.seconds }),
        },
      },
    );
  }
}

function whoBlocks(blockers: readonly Blocker[]): string {
  if (blockers.length === 0) return "the server does not say who holds it (no PROCESS privilege, or it is gone again)";
  return `in the way: ${blockers.slice(0, 3).map(describeBlocker).join("; ")}`;
}
