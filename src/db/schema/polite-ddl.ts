// Runs one DDL statement politely: first without waiting at all, then, if the table is merely busy, waiting under the lock guard; with
// pauses in between, and a budget for all waiting of an engine run, after which it gives up and names who is in the way.
import { type Blocker, whoBlocks } from "./blocker.ts";
import type { LockBudget } from "./lock-budget.ts";

/** A rebuild or index build that lost its end to somebody's new transaction is begun again this often. */
const expensiveAttemptsMax = 5;
/** Transactions that are open for this long are not expected to end in a moment. */
export const oldSeconds = 2;
export const pollMs = 250;

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

export type GuardedResult = { readonly outcome: "done" } | { readonly outcome: "gave_way"; readonly waitedMs: number };

/** What a server can do for politeness. */
export interface LockMeans {
  /** Tries that wait for nobody, for statements that take milliseconds; null where the server has no such thing. */
  readonly tryWithoutWaiting: ((attempt: Attempt) => Promise<boolean>) | null;
  /** Waits for as long as others may be held up, then gives way. Errors of the statement itself pass through. */
  runGuarded(attempt: Attempt): Promise<GuardedResult>;
  /** Who uses the table in a transaction that is open for `seconds` or more, as far as the server tells. */
  blockers(attempt: Attempt, seconds: number): Promise<readonly Blocker[]>;
  /** False where `blockers` may name transactions that have nothing to do with the table. */
  readonly blockersAreCertain: boolean;
}

export class PoliteDdl {
  readonly #means: LockMeans;
  readonly #budget: LockBudget;

  constructor(means: LockMeans, budget: LockBudget) {
    this.#means = means;
    this.#budget = budget;
  }

  /** Throws schema.blocked when the budget is used up, and the statement's own errors. */
  async run(attempt: Attempt): Promise<void> {
    let told = false;
    for (let gaveWay = 0; ; ) {
      if (await this.#tryQuickly(attempt)) return;
      const old = await this.#means.blockers(attempt, oldSeconds);
      if (old.length > 0 && this.#isWorthWaiting(attempt)) {
        if (!told) attempt.waiting(`waits without holding anybody up; ${this.#who(old)}`);
        told = true;
        await this.#budget.pause(pollMs, attempt, old);
        continue;
      }
      const startMs = performance.now();
      const result = await this.#means.runGuarded(attempt);
      if (result.outcome === "done") return;
      gaveWay++;
      // What an expensive statement worked for in vain was not waiting.
      this.#budget.spend(attempt.expensive ? result.waitedMs : performance.now() - startMs);
      const blockers = await this.#means.blockers(attempt, 0);
      attempt.waiting(`gave way after ${result.waitedMs} ms; ${this.#who(blockers)}`);
      if (await attempt.isDone()) return;
      if (attempt.expensive && gaveWay >= expensiveAttemptsMax) throw this.#budget.blocked(attempt, blockers);
      // Longer and longer, and never in step with others who do the same.
      const pauseMs = Math.min(250 * 2 ** (gaveWay - 1), 2_000) * (0.75 + Math.random() / 2);
      await this.#budget.pause(pauseMs, attempt, blockers);
    }
  }

  async #tryQuickly(attempt: Attempt): Promise<boolean> {
    if (attempt.expensive || this.#means.tryWithoutWaiting === null) return false;
    const startMs = performance.now();
    if (await this.#means.tryWithoutWaiting(attempt)) return true;
    this.#budget.spend(performance.now() - startMs);
    return false;
  }

  /**
   * While an old transaction is open, an attempt that waits would most likely stall others in vain. Where tries without waiting are
   * possible, they go on in between, at no cost to anybody. Yet the transaction may have nothing to do with this table and the table may
   * be too busy for such tries, so before the budget ends, the guard has its turn.
   */
  #isWorthWaiting(attempt: Attempt): boolean {
    if (attempt.expensive || this.#means.blockersAreCertain) return true;
    return this.#budget.spentPart < (this.#means.tryWithoutWaiting === null ? 0.5 : 0.9);
  }

  #who(blockers: readonly Blocker[]): string {
    return whoBlocks(blockers, this.#budget.nobodySeen);
  }
}
