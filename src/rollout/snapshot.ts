// What one look at the fleet found: the only thing a decision rests on. All of it is asked anew before each decision, so that a
// rollout that was killed goes on from what is there. Only `memory` is this run's own, and losing it costs at most a wait or a probe.
import type { ReleaseId } from "../releases/catalogue.ts";
import type { CanaryFigures } from "./canary/judge-canary.ts";

/** ready: gets new requests. drain: keeps those it has, gets no new ones. maint: out, and not health-checked. */
export type RotationState = "ready" | "drain" | "maint";

export type RotationView = {
  readonly state: RotationState;
  /** The balancer's own health checks pass. */
  readonly up: boolean;
  /** Requests the balancer has under way at this node. */
  readonly sessions: number;
  /** Answers of class 5xx and broken ones that it had from this node since it began to count; absent where it does not tell. */
  readonly failures?: number;
};

/** Uploads and downloads under way, as the node publishes them. */
export type TransfersView = {
  readonly count: number;
  readonly bytesLeft: number | null;
  readonly etaSeconds: number | null;
};

/**
 * One node. Its way through a rollout, read off these fields alone:
 *
 *   running, old, ready --drain--> running, old, drain --stop--> stopping --(its transfers end)--> gone
 *   gone, drain --disable--> gone, maint --install--> gone, maint, configured for the target --start--> running, new, maint
 *   running, new, maint --probe, enable--> running, new, ready: done
 *
 * With the strategy handover a node that can is never out: running, old, ready --hand-over--> running, new, ready --probe--> done
 */
export type NodeView = {
  readonly name: string;
  /** What it runs as when it is started next. */
  readonly configRelease: ReleaseId;
  /** stopping: it was told to stop, and finishes what it has. */
  readonly process: "running" | "stopping" | "gone";
  /** What the process serves; null where there is none. */
  readonly release: ReleaseId | null;
  /** Its own /healthcheck, asked directly, says 200. */
  readonly healthy: boolean;
  /** How long it has been in this state of its process; 0 where that cannot be known. */
  readonly processMs: number;
  readonly rotation: RotationView;
  readonly transfers: TransfersView | null;
  /** For people; null where the registry does not know this process. */
  readonly heartbeatAgeSeconds: number | null;
  /** How often this run has started it, and what is known of the last failure. */
  readonly starts: number;
  readonly lastWords: string | null;
  /** The synthetic request against this very process. `off` where the fleet asks for none. */
  readonly gate: "off" | "untested" | "passed";
  /** Its process understands a hand-over. Absent: it does not, or that is not known. */
  readonly handsOver?: boolean;
  /** For people: what a hand-over of it lacks, where that is known. */
  readonly handOverLacks?: string;
  /** Whose process it is; absent: one of ours. */
  readonly software?: "glance";
  /** For people: a process of Glance that lives on its host, alone or besides ours. */
  readonly glance?: string;
  /** Nothing that could be started was installed by this run; absent: its release says whether it has to be. */
  readonly toInstall?: boolean;
};

export type Stranger = {
  readonly name: string;
  readonly release: string;
  readonly heartbeatAgeSeconds: number;
  /** The node whose process it was: it has handed over and still may write. null: it is no such process. */
  readonly leaves: string | null;
};

/**
 * Which phase of the schema is next on the way to the target; `nothing`: it is contracted. On the way back `revert`, `nothing` when
 * that is done, and `closed` where a contract has begun.
 */
export type SchemaDue = "expand" | "migrate" | "contract" | "revert" | "closed" | "nothing";

export type Snapshot = {
  readonly nodes: readonly NodeView[];
  readonly due: SchemaDue;
  /** The newest release the database is contracted to, where that is known, and whether this rollout has paused for it already. */
  readonly contracted?: { readonly to: ReleaseId; readonly told: boolean };
  /** A backup of this rollout that has been read back. */
  readonly backup: "verified" | "missing";
  /** Live rows of the registry older than the target (on the way back: newer), of nodes that this fleet does not have. */
  readonly strangers: readonly Stranger[];
  /** What an operator asked of the rollout, from any host; it stands until it is taken back. */
  readonly request: OperatorRequest | null;
  /** Since a node was last changed by this rollout, as its journal tells, on whichever host. */
  readonly soakedMs: number;
  /** New and old nodes in the same window; null where none is asked for, or there is nothing to compare. */
  readonly canary: CanaryFigures | null;
  /**
   * For how long yet the balancer may serve some clients by what it was before a reload: with nodes that have left since, and without those that have
   * come. Absent: for none.
   */
  readonly balancerOutdatedMs?: number;
  readonly memory: RunMemory;
};

export type OperatorRequest = {
  readonly do: "pause" | "abort";
  /** Who asked, from where and when. */
  readonly told: string;
};

export type RunMemory = {
  /** What is being waited for, by its key, and for how long now. */
  readonly waits: Readonly<Record<string, number>>;
  /** How long this run has seen a node serve its release without a break, by its name. */
  readonly servingMs: Readonly<Record<string, number>>;
  /** So many nodes served the target when this run last found them to do well. */
  readonly judgedNodes: number;
  /** The last action when it failed: how often in a row, and its text. */
  readonly failed: { readonly key: string; readonly count: number; readonly text: string } | null;
};
