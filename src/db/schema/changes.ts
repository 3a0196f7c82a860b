// The changes that releases need again and again, written for every dialect at once.
import type { LiveSchema } from "./live-schema.ts";
import type { Change, Changes, PerDialect } from "./step.ts";

type StatementKind = Extract<Change, { do: "statement" }>["kind"];

export function statement(kind: StatementKind, table: string, sql: string): Change {
  return { do: "statement", kind, table, sql };
}

/** An index, built while everybody writes on. */
export function addIndex(table: string, name: string, columns: readonly string[]): Changes {
  const list = columns.join(", ");
  return {
    mysql: () => [{ do: "alter", kind: "add_index", table, clause: `ADD INDEX ${name} (${list})` }],
    sqlite: () => [statement("index", table, `CREATE INDEX ${name} ON ${table} (${list})`)],
    postgresql: () => [{ do: "build_index", table, name, columns }],
  };
}

export function dropIndex(table: string, name: string): Changes {
  const drop = () => [statement("index", table, `DROP INDEX ${name}`)];
  return {
    mysql: () => [{ do: "alter", kind: "drop_index", table, clause: `DROP INDEX ${name}` }],
    sqlite: drop,
    postgresql: () => [{ do: "drop_index", table, name }],
  };
}

/**
 * A column at the end, nullable or with a constant default: free on every server that keeps such defaults beside the table (MySQL 8.0.12,
 * MariaDB 10.3, PostgreSQL 11). `type` with all that follows it, such as `varchar(64) NULL`.
 */
export function addColumn(table: string, name: string, type: PerDialect<string>): Changes {
  const add = (definition: string) => () => [
    statement("column", table, `ALTER TABLE ${table} ADD COLUMN ${name} ${definition}`),
  ];
  return {
    mysql: () => [{ do: "alter", kind: "add_column", table, clause: `ADD COLUMN ${name} ${type.mysql}` }],
    sqlite: add(type.sqlite),
    postgresql: add(type.postgresql),
  };
}

export function dropColumn(table: string, name: string): Changes {
  const drop = () => [statement("column", table, `ALTER TABLE ${table} DROP COLUMN ${name}`)];
  return {
    mysql: () => [{ do: "alter", kind: "drop_column", table, clause: `DROP COLUMN ${name}` }],
    sqlite: drop,
    postgresql: drop,
  };
}

export function dropTable(table: string): Changes {
  const drop = () => [statement("table", table, `DROP TABLE ${table}`)];
  return { mysql: drop, sqlite: drop, postgresql: drop };
}

/** A trigger as each dialect has it: its statements, in order. */
export type TriggerDefinition = {
  readonly name: string;
  readonly table: string;
  /** PostgreSQL: the function first, which goes by `functionOf(name)`. */
  readonly sql: PerDialect<readonly string[]>;
  /** Fingerprints (definitions.ts) of others that do the same: the reference's, and those of earlier versions of this package. */
  readonly known?: Partial<PerDialect<readonly string[]>>;
};

/** PostgreSQL's triggers call functions; those of ours carry our prefix. */
export function functionOf(trigger: string): string {
  return trigger.startsWith("perennial_") ? trigger : `perennial_${trigger}`;
}

export function createTrigger({ table, sql }: TriggerDefinition): Changes {
  const create = (statements: readonly string[]) => () => statements.map((one) => statement("trigger", table, one));
  return { mysql: create(sql.mysql), sqlite: create(sql.sqlite), postgresql: create(sql.postgresql) };
}

/** IF EXISTS, because another tool may have left it out, or taken it away. */
export function dropTrigger({ name, table }: Pick<TriggerDefinition, "name" | "table">): Changes {
  const drop = () => [statement("trigger", table, `DROP TRIGGER IF EXISTS ${name}`)];
  return {
    mysql: drop,
    sqlite: drop,
    postgresql: () => [
      statement("trigger", table, `DROP TRIGGER IF EXISTS ${name} ON ${table}`),
      statement("trigger", table, `DROP FUNCTION IF EXISTS ${functionOf(name)}()`),
    ],
  };
}

/**
 * PostgreSQL: makes a column NOT NULL without reading the table under a lock: a CHECK is added for new rows only, proved for the old
 * ones while everybody works, and then taken as the proof that SET NOT NULL asks for (since version 12). Each statement may be the last
 * one of a killed run.
 */
export function requirePostgresql(schema: LiveSchema, table: string, column: string): readonly Change[] {
  const name = `perennial_${column}_required`;
  const add = `ALTER TABLE ${table} ADD CONSTRAINT ${name} CHECK (${column} IS NOT NULL) NOT VALID`;
  const stands = schema.table(table)?.checks.some((check) => check.name === name) ?? false;
  return [
    ...(stands ? [] : [statement("column", table, add)]),
    statement("rows", table, `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`),
    statement("column", table, `ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL`),
    statement("column", table, `ALTER TABLE ${table} DROP CONSTRAINT ${name}`),
  ];
}
