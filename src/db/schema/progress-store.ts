// perennial_progress: what the engine remembers between its runs, one row a name.
import type { Database, Queryable } from "../database.ts";
import { ensureOwnTables } from "./own-tables.ts";
import { presentTables } from "./schema-tools.ts";
import type { ProgressRow, ProgressStore } from "./step.ts";

/** The form of `cursor_text`; raised when a release changes what it means. */
const format = 1;

type Stored = { cursor_text: string | null; rows_done: number; finished: number };

export class DatabaseProgress implements ProgressStore {
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
  }

  /** Makes sure of the table first. */
  static async open(db: Database): Promise<DatabaseProgress> {
    await ensureOwnTables(db);
    return new DatabaseProgress(db);
  }

  /** For those who must change nothing: without the table there is simply nothing remembered. */
  static async reader(db: Database): Promise<Pick<ProgressStore, "find">> {
    if ((await presentTables(db)).has("perennial_progress")) return new DatabaseProgress(db);
    return { find: async () => undefined };
  }

  async find(name: string): Promise<ProgressRow | undefined> {
    return findProgress(this.#db, name);
  }

  async save(name: string, row: ProgressRow, db: Queryable = this.#db): Promise<void> {
    const now = this.#db.dialect.nowSql;
    const values = [format, row.cursor, row.rowsDone, row.finished ? 1 : 0];
    const { rowsAffected } = await db.run(
      `UPDATE perennial_progress SET format = ?, cursor_text = ?, rows_done = ?, finished = ?, updated_at = ${now} WHERE name = ?`,
      [...values, name],
    );
    if (rowsAffected > 0) return;
    await db.run(
      `INSERT INTO perennial_progress (format, cursor_text, rows_done, finished, name, updated_at) VALUES (?, ?, ?, ?, ?, ${now})`,
      [...values, name],
    );
  }

  async remove(name: string): Promise<void> {
    await this.#db.run("DELETE FROM perennial_progress WHERE name = ?", [name]);
  }
}

/** Reads a row where the table is known to exist. */
export async function findProgress(db: Queryable, name: string): Promise<ProgressRow | undefined> {
  const [row] = await db.query<Stored>(
    "SELECT cursor_text, rows_done, finished FROM perennial_progress WHERE name = ?",
    [name],
  );
  return row && { cursor: row.cursor_text, rowsDone: Number(row.rows_done), finished: Number(row.finished) !== 0 };
}
