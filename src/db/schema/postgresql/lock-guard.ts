// Runs DDL so that it never queues others for long. A request for an exclusive lock that waits makes every later statement on the
// table wait behind it; lock_timeout ends such a wait, to the millisecond, in the server itself, so it holds whatever becomes of us.
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../database.ts";
import { sqlStateOf } from "../driver-error.ts";
import type { LockLimits } from "../executor.ts";
import type { Attempt, GuardedResult, LockMeans } from "../polite-ddl.ts";
import type { BlockerWatch, PostgresqlBlocker } from "./blockers.ts";
import type { DdlClass } from "./ddl-class.ts";
import type { PostgresqlServer } from "./server.ts";

/** From the end of a wait to the moment when those behind us go on. */
const reactionMs = 20;
/** Tries that hardly wait, and the pause between two. */
const quickAttempts = 40;
const quickWaitMs = 2;
const quickPauseMs = 8;
/** A transaction of this age is not about to end within a round of quick tries. */
const settledSeconds = 0.5;

/** Lock timeout, statement timeout or cancel, deadlock, serialization: the statement changed nothing and may be tried again. */
const gaveWayStates: ReadonlySet<string> = new Set(["55P03", "57014", "40P01", "40001"]);

const gaveWay = (error: unknown) => gaveWayStates.has(sqlStateOf(error) ?? "");

export class PostgresqlLockGuard {
  readonly #session: Session;
  readonly #watch: BlockerWatch;
  readonly #server: PostgresqlServer;
  readonly #limits: LockLimits;

  constructor(session: Session, watch: BlockerWatch, server: PostgresqlServer, limits: LockLimits) {
    this.#session = session;
    this.#watch = watch;
    this.#server = server;
    this.#limits = limits;
  }

  /** For a statement of this class. */
  meansFor({ lock, cost }: Pick<DdlClass, "lock" | "cost">): LockMeans {
    const holders = ({ table }: Attempt) => this.#watch.holders(table, lock, [this.#session.connectionId]);
    // Twice what others may be held up for, all in all; only a scan under lock, of which its plan tells, may take its time.
    const statementMs = cost === "instant" ? this.#limits.lockWaitMsMax * 2 : 0;
    return {
      tryWithoutWaiting: async (attempt) => this.#tryQuickly(attempt, await holders(attempt), statementMs),
      runGuarded: (attempt) => this.#runGuarded(attempt.sql, statementMs),
      blockers: async (attempt, seconds) => (await holders(attempt)).filter((one) => one.seconds >= seconds),
      blockersAreCertain: true,
    };
  }

  async #tryQuickly(
    { sql, table }: Attempt,
    holders: readonly PostgresqlBlocker[],
    statementMs: number,
  ): Promise<boolean> {
    if (holders.some((one) => one.isAutovacuum)) await this.#sendAutovacuumAway(table);
    // In vain, and each would leave a line in the server's log.
    if (holders.some((one) => !one.isAutovacuum && one.seconds >= settledSeconds)) return false;
    for (let attempt = 1; attempt <= quickAttempts; attempt++) {
      if (await this.#runWithin(sql, quickWaitMs, statementMs)) return true;
      await sleep(quickPauseMs * (0.5 + Math.random()));
    }
    return false;
  }

  async #runGuarded(sql: string, statementMs: number): Promise<GuardedResult> {
    const startMs = performance.now();
    const waitMs = Math.max(this.#limits.lockWaitMsMax - reactionMs, quickWaitMs);
    if (await this.#runWithin(sql, waitMs, statementMs)) return { outcome: "done" };
    return { outcome: "gave_way", waitedMs: Math.round(performance.now() - startMs) };
  }

  /**
   * False where it gave way. Limits and statements are one transaction, which needs no word from us in between: no death of ours can
   * leave its locks standing. lock_timeout counts for each lock, so a second limit holds for all that a statement does.
   */
  async #runWithin(sql: string, waitMs: number, statementMs: number): Promise<boolean> {
    const limits = `SET LOCAL lock_timeout = ${Math.round(waitMs)}; SET LOCAL statement_timeout = ${statementMs}`;
    try {
      await this.#session.run(`${limits};\n${sql}`);
      return true;
    } catch (error) {
      if (!gaveWay(error)) throw error;
      return false;
    }
  }

  /**
   * An autovacuum gives way to whoever waits for longer than deadlock_timeout, a second by default; for that long nobody may wait
   * behind us. So it is asked to go by a request for the weakest lock it is in the way of, which readers and writers pass.
   */
  async #sendAutovacuumAway(table: string): Promise<void> {
    // One against wraparound does not give way, and another session's index build does not either.
    await this.#runWithin(`LOCK TABLE ${table} IN SHARE UPDATE EXCLUSIVE MODE`, this.#server.deadlockMs + 1_000, 0);
  }
}
