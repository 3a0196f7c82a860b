// Perennial's own tables. They carry the prefix perennial_, which Glance ignores, and exist at every release.
import type { Database, Queryable } from "../database.ts";
import { presentTables } from "./schema-tools.ts";
import { createTableSql, type TableDefinition } from "./table-definition.ts";

/** A node whose heartbeat is older than this, by the database's clock, is no longer counted as alive. */
export const nodeLiveSeconds = 30;

export const ownTables: readonly TableDefinition[] = [
  {
    // Who serves from this database, at which release: contract waits for the old ones.
    name: "perennial_nodes",
    columns: [
      ["name", "varchar(255)", "required"],
      ["address", "varchar(255)", "required"],
      ["release_id", "varchar(32)", "required"],
      ["package_version", "varchar(32)", "required"],
      ["pid", "int", "required"],
      ["state", "varchar(16)", "required"],
      ["started_at", "datetime", "required"],
      ["heartbeat_at", "datetime", "required"],
      ["uploads", "int", "required", "0"],
      ["downloads", "int", "required", "0"],
      ["bytes_left", "bigint"],
      ["eta_seconds", "int"],
      ["p99_ms", "double"],
    ],
    primaryKey: ["name"],
  },
  {
    // Leases of uploads under way: an image whose lease expired returns to queued.
    name: "perennial_uploads",
    columns: [
      ["image_id", "varchar(36)", "required"],
      ["lease_id", "varchar(36)", "required"],
      ["node", "varchar(255)", "required"],
      ["url", "text", "required"],
      ["started_at", "datetime", "required"],
      ["expires_at", "datetime", "required"],
    ],
    primaryKey: ["image_id"],
    indexes: [["perennial_uploads_expires_at", "expires_at"]],
  },
  {
    // Leases of staging and import under way: an image whose lease expired returns to what it was.
    name: "perennial_imports",
    columns: [
      ["image_id", "varchar(36)", "required"],
      ["lease_id", "varchar(36)", "required"],
      ["node", "varchar(255)", "required"],
      ["task_id", "varchar(36)"],
      ["gives_back", "varchar(16)", "required"],
      ["urls", "text", "required"],
      ["started_at", "datetime", "required"],
      ["expires_at", "datetime", "required"],
    ],
    primaryKey: ["image_id"],
    indexes: [["perennial_imports_expires_at", "expires_at"]],
  },
  {
    // What the engine remembers between runs: checkpoints of data migrations, acts done once, a contract under way.
    name: "perennial_progress",
    columns: [
      ["name", "varchar(255)", "required"],
      ["format", "int", "required"],
      ["cursor_text", "text"],
      ["rows_done", "bigint", "required", "0"],
      ["finished", "int", "required", "0"],
      ["updated_at", "datetime", "required"],
    ],
    primaryKey: ["name"],
  },
];

/**
 * Creates what is missing of our own tables. Safe at any time and from several processes at once. Looks before it creates, so that
 * a node may start with a database user that is not allowed to create tables, once glance-manage made them. Where the database can, a
 * table comes with its indexes or not at all.
 */
export function ensureOwnTables(db: Database): Promise<void> {
  return ensureTables(db, ownTables);
}

/** The same for any of our tables. */
export async function ensureTables(db: Database, tables: readonly TableDefinition[]): Promise<void> {
  const present = await presentTables(db);
  for (const table of tables.filter((one) => !present.has(one.name))) {
    const statements = createTableSql(table, db.dialect.name, { ifNotExists: true });
    const create = async (on: Queryable) => {
      for (const sql of statements) await on.run(sql);
    };
    await (db.dialect.transactionalDdl ? db.transaction(create) : create(db));
  }
}
