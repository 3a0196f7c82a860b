// What a release says about the database: named steps per phase, each able to tell from the live schema that it is applied.
// Steps only describe changes; executors (mysql/, sqlite/) carry them out under the lock guard, so that a plan can price them.
import type { Dialect, Queryable } from "../database.ts";
import type { Difference } from "./definitions.ts";
import type { LiveSchema } from "./live-schema.ts";

export type PhaseName = "expand" | "migrate" | "contract";

/** What an ALTER TABLE does; its price depends on the server (mysql/ddl-cost.ts). */
export type AlterKind =
  | "add_column"
  | "set_default"
  | "drop_default"
  | "add_index"
  | "drop_index"
  | "require_column"
  | "drop_column"
  | "drop_check";

export type Change =
  /** MySQL: one `ALTER TABLE table clause`, to which the executor adds ALGORITHM and LOCK. */
  | { readonly do: "alter"; readonly kind: AlterKind; readonly table: string; readonly clause: string }
  /**
   * MySQL: the column gets this definition, which is NOT NULL. By ALTER TABLE that rebuilds the table, and the end of a rebuild stalls
   * everybody for a second or more per million rows; so where the server can, another column takes its place (mysql/column-switch.ts).
   */
  | {
      readonly do: "require";
      readonly table: string;
      /** The primary key, one column. */
      readonly key: string;
      readonly column: string;
      readonly definition: string;
    }
  /** One statement as it stands. */
  | {
      readonly do: "statement";
      /** `rows`: reads or writes every row, while others work. */
      readonly kind: "table" | "trigger" | "index" | "column" | "type" | "rows";
      readonly table: string;
      readonly sql: string;
    }
  /**
   * PostgreSQL: an index built while everybody writes on, which no transaction may surround. What a killed build leaves behind is an
   * invalid index, which counts as missing and is dropped before the next build.
   */
  | { readonly do: "build_index"; readonly table: string; readonly name: string; readonly columns: readonly string[] }
  /** PostgreSQL: likewise; a killed removal leaves an invalid index, too. */
  | { readonly do: "drop_index"; readonly table: string; readonly name: string }
  /** SQLite: the table is made anew in one transaction, after `edit` changed what its CREATE TABLE says in parentheses. */
  | {
      readonly do: "rebuild";
      readonly table: string;
      readonly edit: (definitions: readonly string[]) => readonly string[];
    };

export type PerDialect<T> = Readonly<Record<Dialect["name"], T>>;
export type Changes = PerDialect<(schema: LiveSchema) => readonly Change[]>;

export type SchemaStep = {
  /** Shown to operators, so it says what it does to what. */
  readonly name: string;
  /** Asked first: MySQL commits each DDL statement, so a killed run resumes inside the list. */
  isApplied(schema: LiveSchema): boolean;
  readonly changes: Changes;
  /** No other step asks about what it changes, and so the schema is not read again after it: reading it costs more than most steps. */
  readonly standsAlone?: true;
};

export type ExpandStep = SchemaStep & {
  /** Leads back; the steps of a phase are reverted last first. */
  readonly revert: Changes;
  isReverted(schema: LiveSchema): boolean;
  /** What stands under the name of what it makes, where that is something else; null also where nothing stands there. */
  difference?(schema: LiveSchema, dialect: Dialect["name"]): Difference | null;
  /** Serves only a fleet of two releases: left out by `db sync`, which runs while nobody serves. */
  readonly mixedFleetOnly?: true;
  /**
   * Runs before the changes: records what can only be known now. `expandedByOthers`: by its revision this expand is done, and yet this
   * step of it is not: another tool did it. Must be harmless when repeated.
   */
  prepare?(context: { readonly progress: ProgressStore; readonly expandedByOthers: boolean }): Promise<void>;
};

/** A step that cannot be undone. */
export type FinalStep = SchemaStep & {
  /** Takes away what only this package makes, so it may be left where another tool contracted. */
  readonly leftByOthers?: true;
};

export type ProgressRow = { readonly cursor: string | null; readonly rowsDone: number; readonly finished: boolean };

/** What the engine remembers between runs, one row of perennial_progress per name. */
export interface ProgressStore {
  find(name: string): Promise<ProgressRow | undefined>;
  /** Writes through `db`: the transaction of a batch, so that its rows and its checkpoint stand or fall together. */
  save(name: string, row: ProgressRow, db?: Queryable): Promise<void>;
  remove(name: string): Promise<void>;
}

/** What a batch may use of its dialect. */
export type BatchTools = {
  readonly dialect: Dialect;
  /** Appended to a SELECT: locks its rows, leaving out those that others hold, where the server can. */
  readonly lockFreeRows: string;
};

/** Some rows in the order of their key, read without locks; a transaction of its own for each. */
export type Batch = {
  /** The cursor behind it. */
  readonly last: string;
  /** Rows it goes through: what its time is judged by. */
  readonly rows: number;
  /** Migrates those that are still pending, inside one transaction that may be run again; returns how many it changed. */
  apply(tx: Queryable, tools: BatchTools): Promise<number>;
};

export type Backfill = {
  /** Also the name of its row in perennial_progress. */
  readonly name: string;
  readonly table: string;
  /** The next batch of at most `rowsMax` rows after `cursor` with something pending in it, or null. Takes no locks. */
  nextBatch(db: Queryable, cursor: string, rowsMax: number, dialect: Dialect): Promise<Batch | null>;
  /** Rows still pending; `rowsMax` bounds the count (1: is there any?). Must be cheap to ask where it is `neededToServe`. */
  pending(db: Queryable, rowsMax: number, progress: Pick<ProgressStore, "find">): Promise<number>;
  /** Records after the last batch that it never needs to run again. */
  readonly once?: true;
  /** Nodes of the release cannot read rows that wait for it, so they do not start before it is complete. They ask at each heartbeat. */
  readonly neededToServe?: true;
  /** Where older nodes cannot read what it wrote, and the column stays: leads back. Run by revert. */
  readonly undo?: Backfill;
};

/** Something that must hold of every row before contract; a sum over the rows of one key range. */
export type Invariant = {
  readonly name: string;
  /** An SQL expression, true for a row that breaks it. */
  readonly brokenWhere: string;
  /** `refuse`: contract would lose something. `report`: worth knowing. */
  readonly severity: "refuse" | "report";
};

/** What every row of a table must keep, read in ranges of its key. */
export type RowProof = {
  readonly table: string;
  readonly key: string;
  /** Sorts before every key. */
  readonly keyBefore: string | number;
  readonly invariants: readonly Invariant[];
};

/** Rows that say something which an older release has no words for. */
export type Loss = {
  /** `community images, which only their owners would see`. */
  readonly name: string;
  readonly table: string;
  readonly key: string;
  /** An SQL condition, true for such a row. */
  readonly where: string;
};

export type ReleaseSteps = {
  /** What a fresh database gets, and an older one lacks. Only the first release of the catalogue has such steps. */
  readonly create: readonly SchemaStep[];
  /** By revision of the catalogue; a revision that changes nothing has no entry. */
  readonly expand: Readonly<Record<string, readonly ExpandStep[]>>;
  readonly migrate: readonly Backfill[];
  readonly verify: readonly RowProof[];
  /** By revision, as `expand`. */
  readonly contract: Readonly<Record<string, readonly FinalStep[]>>;
  /** What revert would take from users, because the release before cannot express it. */
  readonly losses: readonly Loss[];
  /** Table and column: what expand adds and contract drops. Our own indexes on a column go before it. */
  readonly columnsComing: readonly (readonly [table: string, column: string])[];
  readonly columnsLeaving: readonly (readonly [table: string, column: string])[];
  /** The schema shows that a contract to this release went past the point of no return, whoever ran it. */
  showsContract(schema: LiveSchema): boolean;
};
