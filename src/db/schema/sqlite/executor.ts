// Carries out changes on SQLite: the changes of one step in one write transaction, so a kill leaves a step done or not begun.
// A table is made anew by the procedure SQLite documents for changes its ALTER TABLE lacks.
import { systemClock } from "../../../core/clock.ts";
import { errorText, isServiceError, ServiceError } from "../../../core/errors.ts";
import type { Session } from "../../database.ts";
import type { ExecutorListener, LockLimits, SchemaExecutor, StepChanges } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";
import type { Change } from "../step.ts";
import { readSqliteSchema } from "./introspect.ts";
import { createTableOf, definitionsOf } from "./table-sql.ts";

export class SqliteExecutor implements SchemaExecutor {
  readonly #session: Session;
  readonly #limits: LockLimits;
  #waitedMs = 0;

  constructor(session: Session, limits: LockLimits) {
    this.#session = session;
    this.#limits = limits;
  }

  introspect(): Promise<LiveSchema> {
    return readSqliteSchema(this.#session);
  }

  async apply(step: StepChanges, listener: ExecutorListener): Promise<void> {
    for (;;) {
      const startMs = performance.now();
      try {
        return await this.#applyInTransaction(step);
      } catch (error) {
        if (!isServiceError(error, "db.conflict")) throw error;
        this.#waitedMs += performance.now() - startMs;
        if (this.#waitedMs > this.#limits.lockBudgetMs) throw blocked(step.name, this.#waitedMs, error);
        listener.waiting(`the database file is locked by another process: ${errorText(error)}`);
      }
      const pauseMs = 50 + Math.random() * 100;
      await systemClock.sleep(pauseMs, listener.signal);
      this.#waitedMs += pauseMs;
    }
  }

  /** Sessions have foreign keys off: a rebuild drops a table that others refer to, and puts it back. */
  async #applyInTransaction(step: StepChanges): Promise<void> {
    const session = this.#session;
    await session.run("BEGIN IMMEDIATE");
    try {
      for (const change of step.changes) await this.#run(change);
      await session.run("COMMIT");
    } catch (error) {
      // Where the disk is full SQLite has rolled back by itself, and says so; what is told is what went wrong.
      await session.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  async #run(change: Change): Promise<void> {
    if (change.do === "statement") await this.#session.run(change.sql);
    else if (change.do === "rebuild") await this.#rebuild(change.table, change.edit);
    else throw new TypeError("SQLite changes tables by statements of its own");
  }

  async #rebuild(table: string, edit: (definitions: readonly string[]) => readonly string[]): Promise<void> {
    const session = this.#session;
    const schema = await this.introspect();
    const createSql = schema.table(table)?.createSql;
    if (!createSql) throw new TypeError(`no table ${table}`);
    const rest = await session.query<{ sql: string }>(
      "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
      [table],
    );
    const columns = schema
      .table(table)
      ?.columns.map((column) => column.name)
      .join(", ");
    const fresh = `perennial_new_${table}`;
    await session.run(createTableOf(fresh, edit(definitionsOf(createSql))));
    await session.run(`INSERT INTO ${fresh} (${columns}) SELECT ${columns} FROM ${table}`);
    await session.run(`DROP TABLE ${table}`);
    await session.run(`ALTER TABLE ${fresh} RENAME TO ${table}`);
    for (const { sql } of rest) await session.run(sql);
    const broken = await session.query("PRAGMA foreign_key_check");
    if (broken.length > 0) throw new ServiceError("db.integrity", `${table}: ${broken.length} rows refer to nothing`);
  }
}

function blocked(step: string, waitedMs: number, cause: unknown): ServiceError {
  const waitedSeconds = Math.round(waitedMs / 1_000);
  return new ServiceError(
    "schema.blocked",
    `${step}: another process kept the database file locked for ${waitedSeconds} s; run the same command again when it is done`,
    { facts: { step, waitedSeconds }, cause },
  );
}
