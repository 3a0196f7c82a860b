// What stands in the database now. Every step is asked against this picture, never against what an earlier run believes it did.
// Reading it is each dialect's own (mysql/introspect.ts, sqlite/introspect.ts; schema-tools.ts chooses).

export type LiveColumn = {
  readonly name: string;
  /** As the database writes it, lower-cased. */
  readonly type: string;
  readonly nullable: boolean;
  /** As SQL text; null where there is none. */
  readonly defaultSql: string | null;
};

export type LiveTable = {
  readonly columns: readonly LiveColumn[];
  readonly indexes: ReadonlyMap<string, readonly string[]>;
  /** PostgreSQL: names of indexes that serve no query, because building or dropping them was cut short (or is under way). */
  readonly unfinishedIndexes?: readonly string[];
  /** Named CHECK constraints. SQLite's own have no name and are found by their text in `createSql`. */
  readonly checks: readonly { readonly name: string; readonly clause: string }[];
  /** SQLite: the statement the table was created by, as edited since. */
  readonly createSql: string | null;
};

export type LiveTrigger = {
  readonly table: string;
  /** When it fires and what it does, as the database shows it; null where it does not. */
  readonly definition: string | null;
  readonly enabled: boolean;
};

export class LiveSchema {
  readonly #tables: ReadonlyMap<string, LiveTable>;
  readonly #triggers: ReadonlyMap<string, LiveTrigger>;

  constructor(tables: ReadonlyMap<string, LiveTable>, triggers: ReadonlyMap<string, LiveTrigger>) {
    this.#tables = tables;
    this.#triggers = triggers;
  }

  get tableNames(): readonly string[] {
    return [...this.#tables.keys()];
  }

  table(name: string): LiveTable | undefined {
    return this.#tables.get(name);
  }

  column(table: string, name: string): LiveColumn | undefined {
    return this.table(table)?.columns.find((column) => column.name === name);
  }

  hasTable(name: string): boolean {
    return this.#tables.has(name);
  }

  hasColumn(table: string, name: string): boolean {
    return this.column(table, name) !== undefined;
  }

  hasIndex(table: string, name: string): boolean {
    return this.table(table)?.indexes.has(name) ?? false;
  }

  hasTrigger(name: string): boolean {
    return this.#triggers.has(name);
  }

  trigger(name: string): LiveTrigger | undefined {
    return this.#triggers.get(name);
  }

  /** Names of the CHECK constraints whose condition is about this column. */
  checksOn(table: string, column: string): readonly string[] {
    const mentions = new RegExp(`\\b${column}\\b`);
    return (this.table(table)?.checks ?? []).filter((check) => mentions.test(check.clause)).map((check) => check.name);
  }
}
