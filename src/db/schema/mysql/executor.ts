// Carries out changes on MySQL and MariaDB. Each ALTER TABLE states its algorithm and lock, cheapest first, and runs under the lock
// guard; between attempts it pauses, and before an expensive one it waits until no old transaction could spoil its end.
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../../core/errors.ts";
import type { Session } from "../../database.ts";
import { errnoOf } from "../driver-error.ts";
import type { ExecutorListener, LockLimits, SchemaExecutor, StepChanges } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";
import type { Change } from "../step.ts";
import { type Blocker, describeBlocker, lockHolders, longTransactions } from "./blockers.ts";
import { type SwitchTools, switchColumn } from "./column-switch.ts";
import { readMysqlSchema } from "./introspect.ts";
import { lockWaitSeconds, runGuarded, tryWithoutWaiting } from "./lock-guard.ts";
import {
  type Algorithm,
  algorithmsFor,
  canSwitchColumns,
  costOf,
  isAtLeast,
  type MysqlServer,
  never,
} from "./server.ts";

/** "Not supported", "not supported for this reason", unknown algorithm, syntax: the next algorithm may do. */
const unsupportedErrnos: ReadonlySet<number> = new Set([1845, 1846, 1800, 1064]);
/** A rebuild that lost its end to somebody's new transaction is begun again this often. */
const rebuildAttemptsMax = 5;
const pollMs = 100;

/** `algorithm`: as its ALTER TABLE states it; null for other statements. */
type Attempt = {
  readonly sql: string;
  readonly table: string;
  readonly algorithm: Algorithm | null;
  readonly expensive: boolean;
};

export class MysqlExecutor implements SchemaExecutor {
  readonly #session: Session;
  readonly #watcher: Session;
  readonly #server: MysqlServer;
  readonly #limits: LockLimits;
  #waitedMs = 0;

  /** `session` runs the DDL, `watcher` is another connection of the same user. */
  constructor(session: Session, watcher: Session, server: MysqlServer, limits: LockLimits) {
    this.#session = session;
    this.#watcher = watcher;
    this.#server = server;
    this.#limits = limits;
  }

  /** Session settings: nets below the guard, should it fail. */
  async prepare(): Promise<void> {
    await this.#session.run(`SET SESSION lock_wait_timeout = ${lockWaitSeconds}`);
    await this.#session.run("SET SESSION innodb_lock_wait_timeout = 1");
  }

  introspect(): Promise<LiveSchema> {
    return readMysqlSchema(this.#session);
  }

  async apply(step: StepChanges, listener: ExecutorListener): Promise<void> {
    for (const change of step.changes(await this.introspect())) {
      if (change.do === "require" && canSwitchColumns(this.#server))
        await switchColumn(this.#switchTools(step, change.table, listener), change);
      else await this.#applyOne(step, this.#attemptsFor(change), listener);
    }
  }

  async #applyOne(step: StepChanges, attempts: readonly Attempt[], listener: ExecutorListener): Promise<void> {
    if (attempts.length === 0) throw copyRefused(step.name, this.#server.text);
    for (const [index, attempt] of attempts.entries()) {
      try {
        return await this.#applyPolitely(step, attempt, listener);
      } catch (error) {
        if (step.isApplied(await this.introspect())) return;
        const unsupported = unsupportedErrnos.has(errnoOf(error) ?? 0) && attempt.algorithm !== null;
        if (!unsupported) throw error;
        if (index === attempts.length - 1)
          throw this.#limits.allowCopy ? error : copyRefused(step.name, this.#server.text, error);
      }
    }
  }

  #attemptsFor(change: Change): readonly Attempt[] {
    if (change.do === "rebuild") throw new TypeError("MySQL rebuilds a table by ALTER TABLE");
    const { table } = change;
    if (change.do === "statement") return [{ sql: change.sql, table, algorithm: null, expensive: false }];
    const kind = change.do === "require" ? "require_column" : change.kind;
    const clause = change.do === "require" ? `MODIFY ${change.column} ${change.definition}` : change.clause;
    const cost = costOf(this.#server, kind);
    return algorithmsFor(this.#server, kind, this.#limits.allowCopy).map((algorithm) => ({
      sql: `ALTER TABLE ${table} ${clause}, ALGORITHM=${algorithm}, LOCK=${this.#lockFor(algorithm)}`,
      table,
      algorithm,
      expensive: cost !== "instant" && algorithm !== "INSTANT",
    }));
  }

  #switchTools(step: StepChanges, table: string, listener: ExecutorListener): SwitchTools {
    const part = (sql: string, expensive: boolean): Attempt => ({ sql, table, algorithm: null, expensive });
    return {
      session: this.#session,
      introspect: () => this.introspect(),
      ddl: (sql, { expensive, isDone }) =>
        this.#applyOne({ ...step, isApplied: isDone }, [part(sql, expensive)], listener),
      locked: async (name, work) => {
        const never = { ...step, isApplied: () => false };
        await this.#applyPolitely(never, part(`LOCK TABLES ${name} WRITE`, false), listener);
        try {
          await work();
        } finally {
          await this.#session.run("UNLOCK TABLES");
        }
      },
      tell: (detail) => listener.working(detail),
      pause: (ms) => this.#pause(ms, step, part("", false), []),
    };
  }

  #lockFor(algorithm: Algorithm): string {
    if (algorithm === "COPY") return "SHARED";
    // MySQL takes no other lock clause with INSTANT; there it is as good as NONE.
    return algorithm === "INSTANT" && this.#server.flavor === "mysql" ? "DEFAULT" : "NONE";
  }

  async #applyPolitely(step: StepChanges, attempt: Attempt, listener: ExecutorListener): Promise<void> {
    const knowsNoWait = isAtLeast(this.#server, [10, 3], never);
    for (let count = 1; ; count++) {
      await this.#waitForOthers(step, attempt, count, listener);
      if (!attempt.expensive && knowsNoWait && (await tryWithoutWaiting(this.#session, attempt.sql))) return;
      const startMs = performance.now();
      const result = await runGuarded(this.#session, this.#watcher, attempt.sql, this.#limits.lockWaitMsMax);
      if (result.outcome === "done") return;
      const blockers = await this.#blockersOf(attempt.table);
      listener.waiting(`gave way after ${result.waitedMs} ms; ${whoBlocks(blockers)}`);
      this.#waitedMs += attempt.expensive ? result.waitedMs : performance.now() - startMs;
      if (step.isApplied(await this.introspect())) return;
      if (attempt.expensive && count >= rebuildAttemptsMax) throw this.#blocked(step, attempt, blockers);
      // Longer and longer, and never in step with others who do the same.
      await this.#pause(Math.min(250 * 2 ** (count - 1), 2_000) * (0.75 + Math.random() / 2), step, attempt, blockers);
    }
  }

  /**
   * An attempt that is bound to wait is not made. Holders of the table's lock are waited for where they are known; transactions that
   * are merely old are waited for before an expensive statement, and otherwise for a while, for they may not touch the table at all.
   */
  async #waitForOthers(step: StepChanges, attempt: Attempt, count: number, listener: ExecutorListener): Promise<void> {
    let told = false;
    const politeUntilMs = attempt.expensive ? Number.POSITIVE_INFINITY : count === 1 ? 1_000 : 0;
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      const holders = (await lockHolders(this.#watcher, attempt.table, this.#ownIds)).filter((one) => one.seconds >= 2);
      const old = waitedMs < politeUntilMs ? ((await longTransactions(this.#watcher, 2, this.#ownIds)) ?? []) : [];
      const blockers = holders.length > 0 ? holders : old;
      if (blockers.length === 0) return;
      if (!told) listener.waiting(`not begun yet; ${whoBlocks(blockers)}`);
      told = true;
      await this.#pause(pollMs, step, attempt, blockers);
    }
  }

  async #pause(ms: number, step: StepChanges, attempt: Attempt, blockers: readonly Blocker[]): Promise<void> {
    if (this.#waitedMs + ms > this.#limits.lockBudgetMs) throw this.#blocked(step, attempt, blockers);
    await sleep(ms);
    this.#waitedMs += ms;
  }

  get #ownIds(): readonly number[] {
    return [this.#session.connectionId, this.#watcher.connectionId].filter((id) => id !== null);
  }

  async #blockersOf(table: string): Promise<readonly Blocker[]> {
    const holders = await lockHolders(this.#watcher, table, this.#ownIds);
    return holders.length > 0 ? holders : ((await longTransactions(this.#watcher, 0, this.#ownIds)) ?? []);
  }

  #blocked(step: StepChanges, attempt: Attempt, blockers: readonly Blocker[]): ServiceError {
    const waitedSeconds = Math.round(this.#waitedMs / 1_000);
    const [first] = blockers;
    return new ServiceError(
      "schema.blocked",
      `${step.name}: table ${attempt.table} stayed in use for ${waitedSeconds} s; ${whoBlocks(blockers)}. ` +
        "Nothing waits for us. End the transaction and run the same command again, or allow more time with --lock-wait-seconds",
      {
        facts: {
          step: step.name,
          table: attempt.table,
          waitedSeconds,
          ...(first && { thread: first.threadId, user: first.user, host: first.host, openSeconds: first.seconds }),
        },
      },
    );
  }
}

function whoBlocks(blockers: readonly Blocker[]): string {
  if (blockers.length === 0)
    return "the server does not say who holds it (PROCESS privilege missing, or it is gone again)";
  return `in the way: ${blockers.slice(0, 3).map(describeBlocker).join("; ")}`;
}

function copyRefused(step: string, server: string, cause?: unknown): ServiceError {
  return new ServiceError(
    "schema.preflight_failed",
    `${step}: ${server} can only do this by copying the table while writers wait; use --allow-copy in a maintenance window`,
    { facts: { step, server }, ...(cause === undefined ? {} : { cause }) },
  );
}
