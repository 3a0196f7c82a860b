// perennial_progress: what the engine remembers between its runs, one row a name.
import { ServiceError } from "../../core/errors.ts";
import type { Database, Queryable } from "../database.ts";
import { ensureOwnTables } from "./own-tables.ts";
import { presentTables } from "./schema-tools.ts";
import type { ProgressRow, ProgressStore } from "./step.ts";

/**
 * The form of `cursor_text`; raised when a version of this package changes what it means, which then still reads the older ones. In 1 it
 * is the key of the last row that was looked at, or what the row's owner wrote there.
 */
const format = 1;

type Stored = { format: number; cursor_text: string | null; rows_done: number; finished: number };

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

  /** For those who must change nothing: without the table there is simply nothing remembered, and rows of any format tell what they can. */
  static async reader(db: Database): Promise<Pick<ProgressStore, "find">> {
    const known = (await presentTables(db)).has("perennial_progress");
    return { find: async (name) => (known ? findProgress(db, name) : undefined) };
  }

  /** Throws schema.newer_progress where going on from that row would be guessing. */
  async find(name: string): Promise<ProgressRow | undefined> {
    const row = await readStored(this.#db, name);
    if (row && Number(row.format) > format) throw newerProgress(name, Number(row.format));
    return row && meaningOf(row);
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
  const row = await readStored(db, name);
  return row && meaningOf(row);
}

async function readStored(db: Queryable, name: string): Promise<Stored | undefined> {
  const sql = "SELECT format, cursor_text, rows_done, finished FROM perennial_progress WHERE name = ?";
  return (await db.query<Stored>(sql, [name]))[0];
}

function meaningOf({ cursor_text, rows_done, finished }: Stored): ProgressRow {
  return { cursor: cursor_text, rowsDone: Number(rows_done), finished: Number(finished) !== 0 };
}

function newerProgress(name: string, found: number): ServiceError {
  return new ServiceError(
    "schema.newer_progress",
    `"${name}" was begun by a newer version of this package (its checkpoint has format ${found}, this version knows ${format}): ` +
      "go on with that version",
    { facts: { step: name, format: found } },
  );
}
