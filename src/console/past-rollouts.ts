// Past rollouts as the page lists and opens them.
import type { PastRollout, RolloutState } from "../rollout/rollout-history.ts";
import type { FleetSample, NodeSample } from "../rollout/samples/sample.ts";

export type RolloutSummary = {
  readonly rollout: string;
  readonly target: string;
  readonly state: RolloutState;
  readonly began: string;
  readonly last: string;
  readonly seconds: number;
  readonly pauses: number;
  readonly entries: number;
  readonly broken: PastRollout["broken"];
};

export type OpenedRollout = RolloutSummary & {
  readonly fleet: string;
  /** The journal's entries as they stand there, those that are none among them. */
  readonly lines: readonly unknown[];
  /** What is known to be wrong with the journal or the samples, each a sentence. */
  readonly notes: readonly string[];
  readonly samples: readonly FleetSample[];
  /** All nodes at one moment each, oldest first. */
  readonly nodes: readonly { readonly atMs: number; readonly seen: readonly NodeSample[] }[];
};

export interface PastRollouts {
  /** Newest first. */
  list(): Promise<readonly RolloutSummary[]>;
  find(id: string): Promise<OpenedRollout | undefined>;
}
