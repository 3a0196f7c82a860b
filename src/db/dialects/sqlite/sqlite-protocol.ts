// What the process and its SQLite threads say to each other. Short, because every statement goes through it.
import type { SqlValue } from "../../database.ts";

/** Given to a thread when it starts. */
export type ThreadSettings = {
  readonly path: string;
  /** What the connection is for: see worker.ts. */
  readonly role: "writer" | "reader" | "session";
  /** How long a statement waits for other writers. */
  readonly busyMsMax: number;
  /** A commit waits for the disk. */
  readonly synchronous: boolean;
};

export type Operation = "query" | "run" | "begin" | "commit" | "rollback" | "close";

export type Request = readonly [id: number, operation: Operation, sql: string, params: readonly SqlValue[]];

export type QueryResult = { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] };

export type Failure = { readonly code: string; readonly message: string };

export type Reply =
  | readonly [id: number, failure: null, result: QueryResult | number | null]
  | readonly [id: number, failure: Failure];

/** The id of the reply that says whether the database could be opened. */
export const openingId = 0;
