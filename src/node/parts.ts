// What the supervisor needs besides its workers: the registry's rows, the start guard's question, and the cleaning up after dead
// uploads. The wiring supplies it, so that this room knows neither a driver nor the domain.
import type { TransferSummary } from "./transfer-summary.ts";

export type NodeState = "starting" | "serving" | "draining" | "stopped";

/** A row of perennial_nodes. */
export type NodeRecord = {
  readonly name: string;
  /** `host:port`, as other machines reach it. */
  readonly address: string;
  /** A node of a newer package may speak one that is not in our catalogue. */
  readonly release: string;
  readonly packageVersion: string;
  readonly pid: number;
  readonly state: NodeState;
  readonly transfers: TransferSummary;
  readonly p99Ms: number | null;
};

/** Times are the database's, so that nodes whose clocks differ agree. */
export interface NodeRecords {
  /** The row of that name and the seconds since its last heartbeat. */
  find(name: string): Promise<{ readonly record: NodeRecord; readonly silentSeconds: number } | undefined>;
  /**
   * Writes the row with a fresh start time where the name is free, or where its row still is `previous`'s (same pid and address).
   * False where another node was quicker.
   */
  claim(record: NodeRecord, previous: NodeRecord | undefined): Promise<boolean>;
  /** Renews the row and its heartbeat; false where there is no row of that name, pid and address. */
  beat(record: NodeRecord): Promise<boolean>;
}

/** Whether a database serves a release; `message` names what is wrong and the command that is due. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly message: string };

export type NodeParts = {
  readonly nodes: NodeRecords;
  /** Creates the tables the registry and the uploads need, where they are missing. */
  ensureTables(): Promise<void>;
  readiness(): Promise<Readiness>;
  /** Returns images of dead uploads to `queued`; how many. */
  reclaimExpiredUploads(): Promise<number>;
  /** Safe to call twice. */
  close(): Promise<void>;
};
