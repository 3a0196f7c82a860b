// The changes that releases need again and again, written for both dialects at once.
import type { Changes } from "./step.ts";

/** An index, created without a lock on MySQL. */
export function addIndex(table: string, name: string, columns: readonly string[]): Changes {
  const list = columns.join(", ");
  return {
    mysql: () => [{ do: "alter", kind: "add_index", table, clause: `ADD INDEX ${name} (${list})` }],
    sqlite: () => [{ do: "statement", kind: "index", table, sql: `CREATE INDEX ${name} ON ${table} (${list})` }],
  };
}

export function dropIndex(table: string, name: string): Changes {
  return {
    mysql: () => [{ do: "alter", kind: "drop_index", table, clause: `DROP INDEX ${name}` }],
    sqlite: () => [{ do: "statement", kind: "index", table, sql: `DROP INDEX ${name}` }],
  };
}

/** A nullable column without a default, at the end: free on every server that knows ALGORITHM=INSTANT. */
export function addColumn(table: string, name: string, type: { mysql: string; sqlite: string }): Changes {
  return {
    mysql: () => [{ do: "alter", kind: "add_column", table, clause: `ADD COLUMN ${name} ${type.mysql} NULL` }],
    sqlite: () => [
      { do: "statement", kind: "column", table, sql: `ALTER TABLE ${table} ADD COLUMN ${name} ${type.sqlite}` },
    ],
  };
}

export function createTrigger(table: string, sql: { mysql: string; sqlite: readonly string[] }): Changes {
  return {
    mysql: () => [{ do: "statement", kind: "trigger", table, sql: sql.mysql }],
    sqlite: () => sql.sqlite.map((one) => ({ do: "statement", kind: "trigger", table, sql: one })),
  };
}

/** IF EXISTS, because triggers of one step may be several on SQLite, or none where another tool expanded. */
export function dropTriggers(table: string, names: { mysql: readonly string[]; sqlite: readonly string[] }): Changes {
  const drop = (name: string) =>
    ({ do: "statement", kind: "trigger", table, sql: `DROP TRIGGER IF EXISTS ${name}` }) as const;
  return { mysql: () => names.mysql.map(drop), sqlite: () => names.sqlite.map(drop) };
}
