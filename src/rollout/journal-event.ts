// One entry of a rollout's journal: the audit trail, and what `run --json` prints a line of.
import type { Phase } from "./decision.ts";

export type JournalEvent = {
  /** From 1, without gaps, over all runs of one rollout. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /**
   * decision: what is done next and why, written before it is done. action: a part of it, or its progress. result: how it ended.
   * observation: what changed while waiting.
   */
  readonly kind: "decision" | "action" | "result" | "observation";
  readonly phase: Phase;
  readonly node?: string;
  readonly text: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** The hash of the entry before it, and its own: journal-chain.ts. Absent in journals of older versions of this package. */
  readonly previous?: string;
  readonly hash?: string;
};
export type NewEvent = Omit<JournalEvent, "seq" | "time" | "previous" | "hash">;

export interface JournalWriter {
  /** Resolves when the entry is on disk. Throws rollout.lease_lost where the fleet is another run's by now. */
  append(event: NewEvent): Promise<JournalEvent>;
}
