// What the supervisor needs besides its workers: the registry's rows, the start guard's question, and the cleaning up after dead
// uploads. The wiring supplies it, so that this room knows neither a driver nor the domain.
import type { NodeRepository, NodeRow } from "../db/repositories/node-repository.ts";

export type NodeState = NodeRow["state"];

/** What the registry's keeper needs of the rows. */
export type NodeRecords = Pick<NodeRepository, "find" | "list" | "claim" | "beat" | "drop">;

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
