// Carries out changes on MySQL and MariaDB. Each ALTER TABLE states its algorithm and lock, cheapest first, and runs politely
// (polite-ddl.ts); a column that becomes NOT NULL is switched instead of rebuilt where the server can (column-switch.ts).
import { isServiceError, ServiceError } from "../../../core/errors.ts";
import type { Session } from "../../database.ts";
import { errnoOf } from "../driver-error.ts";
import type { ExecutorListener, LockLimits, SchemaExecutor, StepChanges } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";
import { LockBudget } from "../lock-budget.ts";
import { PoliteDdl } from "../polite-ddl.ts";
import type { Change } from "../step.ts";
import { type ColumnRequirement, type SwitchTools, shadowOf, switchColumn } from "./column-switch.ts";
import { readMysqlSchema } from "./introspect.ts";
import { lockWaitSeconds } from "./lock-guard.ts";
import { mysqlLockMeans } from "./lock-means.ts";
import {
  type Algorithm,
  algorithmsFor,
  canSwitchColumns,
  costOf,
  isAtLeast,
  isCluster,
  type MysqlServer,
  never,
} from "./server.ts";

/** "Not supported", "not supported for this reason", unknown algorithm, syntax: the next algorithm may do. */
const unsupportedErrnos: ReadonlySet<number> = new Set([1845, 1846, 1800, 1064]);

/** `algorithm`: as its ALTER TABLE states it; null for other statements. */
type Statement = {
  readonly sql: string;
  readonly table: string;
  readonly algorithm: Algorithm | null;
  readonly expensive: boolean;
};

export class MysqlExecutor implements SchemaExecutor {
  readonly #session: Session;
  readonly #server: MysqlServer;
  readonly #limits: LockLimits;
  readonly #budget: LockBudget;
  readonly #polite: PoliteDdl;

  /** `session` runs the DDL, `watcher` is another connection of the same user. */
  constructor(session: Session, watcher: Session, server: MysqlServer, limits: LockLimits) {
    this.#session = session;
    this.#server = server;
    this.#limits = limits;
    this.#budget = new LockBudget(
      limits,
      "the server does not say who holds it (no PROCESS privilege, or it is gone again)",
    );
    const knowsNoWait = isAtLeast(server, [10, 3], never);
    this.#polite = new PoliteDdl(mysqlLockMeans(session, watcher, limits, knowsNoWait), this.#budget);
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
    for (const change of step.changes) {
      if (change.do === "require" && (await this.#switches(change)))
        await switchColumn(await this.#switchTools(step, change.table, listener), change);
      else await this.#applyOne(step, this.#statementsFor(change), listener);
    }
  }

  /**
   * Not on a cluster: its other nodes write on between the statements of the switch, whatever is locked here. And not on a small table.
   */
  async #switches({ table, column }: ColumnRequirement): Promise<boolean> {
    const { rebuildRowsMax } = this.#limits;
    if (!canSwitchColumns(this.#server) || (await isCluster(this.#session))) return false;
    // What a killed run began is finished in its way, so that nothing of it stays behind.
    if ((await this.introspect()).hasColumn(table, shadowOf(column))) return true;
    if (!Number.isFinite(rebuildRowsMax)) return false;
    const [row] = await this.#session.query<{ n: number }>(
      `SELECT COUNT(*) AS n FROM (SELECT 1 FROM ${table} LIMIT ${rebuildRowsMax + 1}) some_rows`,
    );
    return Number(row?.n ?? 0) > rebuildRowsMax;
  }

  async #applyOne(step: StepChanges, statements: readonly Statement[], listener: ExecutorListener): Promise<void> {
    if (statements.length === 0) throw copyRefused(step.name, this.#server.text);
    const isDone = async () => step.isApplied(await this.introspect());
    for (const [index, { algorithm, ...statement }] of statements.entries()) {
      try {
        const waiting = (detail: string) => listener.waiting(detail);
        return await this.#polite.run({ ...statement, step: step.name, isDone, waiting, signal: listener.signal });
      } catch (error) {
        // A lost connection cannot be asked; what is told is what ended it.
        if (!isServiceError(error, "db.unreachable") && (await isDone())) return;
        if (algorithm === null || !unsupportedErrnos.has(errnoOf(error) ?? 0)) throw error;
        if (index < statements.length - 1) continue;
        throw this.#limits.allowCopy ? error : copyRefused(step.name, this.#server.text, error);
      }
    }
  }

  #statementsFor(change: Change): readonly Statement[] {
    if (change.do === "rebuild" || change.do === "build_index" || change.do === "drop_index")
      throw new TypeError("MySQL rebuilds tables and builds indexes by ALTER TABLE");
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

  #lockFor(algorithm: Algorithm): string {
    if (algorithm === "COPY") return "SHARED";
    // MySQL takes no other lock clause with INSTANT; there it is as good as NONE.
    return algorithm === "INSTANT" && this.#server.flavor === "mysql" ? "DEFAULT" : "NONE";
  }

  async #switchTools(step: StepChanges, table: string, listener: ExecutorListener): Promise<SwitchTools> {
    const pace = await listener.pace();
    const waiting = (detail: string) => listener.waiting(detail);
    const { signal } = listener;
    return {
      session: this.#session,
      introspect: () => this.introspect(),
      ddl: (sql, { expensive, isDone }) =>
        this.#applyOne({ ...step, isApplied: isDone }, [{ sql, table, algorithm: null, expensive }], listener),
      locked: async (work) => {
        const sql = `LOCK TABLES ${table} WRITE`;
        const isDone = async () => false;
        await this.#polite.run({ step: step.name, sql, table, expensive: false, isDone, waiting, signal });
        try {
          await work();
        } finally {
          // A lost connection has lost its locks, too.
          await this.#session.run("UNLOCK TABLES").catch(() => undefined);
        }
      },
      tell(detail) {
        signal.throwIfAborted();
        listener.working(detail);
      },
      nextBatch: (tell) => pace.wait(tell, signal),
      limits: () => pace.limits,
      pause: (ms) => this.#budget.pause(ms, { step: step.name, table, signal }),
    };
  }
}

function copyRefused(step: string, server: string, cause?: unknown): ServiceError {
  return new ServiceError(
    "schema.preflight_failed",
    `${step}: ${server} can only do this by copying the table while writers wait; use --allow-copy in a maintenance window`,
    { facts: { step, server }, ...(cause === undefined ? {} : { cause }) },
  );
}
