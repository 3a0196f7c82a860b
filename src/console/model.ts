// What there is to see of a rollout at one moment. The live page, the replay of a past rollout and the report draw this and nothing
// else; timeline.ts makes it. Only types, so that a browser can have them too.
import type { CanaryFigures } from "../rollout/canary/judge-canary.ts";
import type { RolloutState } from "../rollout/rollout-history.ts";
import type { StatusClass } from "../rollout/samples/sample.ts";
import type { RotationState, TransfersView } from "../rollout/snapshot.ts";

/** A figure with the time it was known at. `stale`: too long before the moment that is shown to pass for what is so now. */
export type Known<Value> = { readonly value: Value; readonly atMs: number; readonly stale: boolean };

export type RolloutView = {
  readonly rolloutId: string;
  readonly fleet: string;
  readonly target: string;
  /** The moment that is shown, in milliseconds since the epoch. Of a rollout that is over never later than its end. */
  readonly atMs: number;
  /** The first and the last entry up to that moment; null where there is none. */
  readonly beganAtMs: number | null;
  readonly lastEntryAtMs: number | null;
  /** `not begun`: no entry up to this moment. */
  readonly state: RolloutState | "not begun";
  readonly way: "forward" | "back";
  readonly phases: readonly PhaseView[];
  /** In the order of their names, n2 before n10. */
  readonly nodes: readonly NodeCard[];
  readonly traffic: TrafficView;
  readonly migration: MigrationView | null;
  /** Oldest first: backups proven, probes, health checks that a node did not pass, and the comparisons of new nodes with old ones. */
  readonly gates: readonly GateView[];
  readonly now: NowView;
  /** The newest entries up to this moment, oldest first. */
  readonly journal: { readonly entries: readonly JournalLine[]; readonly total: number };
  /** What cannot be trusted or is not known, each a sentence for people. */
  readonly notes: readonly string[];
};

export type PhaseView = {
  /** backup, expand, migrate, nodes, contract; nodes, revert on the way back. */
  readonly phase: string;
  /** `resting`: begun, and something else is at work now; nodes rest while the schema is changed. */
  readonly state: "ahead" | "current" | "resting" | "done";
  readonly beganAtMs: number | null;
  /** All its parts together. */
  readonly seconds: number;
};

export type NodeState =
  /** In rotation, healthy. */
  | "serving"
  /** Gets no new requests, finishes what it has. */
  | "draining"
  /** Was told to end and finishes what it has. */
  | "stopping"
  /** No process. */
  | "out"
  /** A process that is not in rotation yet. */
  | "starting"
  /** In rotation, and its health check or the balancer's fails. */
  | "unwell"
  | "unknown";

export type NodeCard = {
  readonly name: string;
  readonly state: Known<NodeState>;
  /** What it serves, or served last; null where that was never known. */
  readonly release: Known<string> | null;
  /** It serves the rollout's target; null where that is not known. */
  readonly moved: boolean | null;
  /** null: it never told, or nothing was recorded. */
  readonly figures: Known<NodeFigures> | null;
  /** What the rollout is doing with it, and since when. */
  readonly step: { readonly do: string; readonly text: string; readonly sinceMs: number } | null;
  /** Steps on it that failed, so far. */
  readonly failures: number;
  /** What went wrong last, until a step on it succeeds. */
  readonly trouble: string | null;
};

export type NodeFigures = {
  /** What was set at the balancer, and whether it finds the node well; null where that could not be asked. */
  readonly rotation: RotationState | null;
  readonly up: boolean | null;
  readonly requests: number | null;
  readonly transfers: TransfersView | null;
  readonly heartbeatAgeSeconds: number | null;
};

export type TrafficView = {
  /** false: the rollout ran in a version that did not keep figures, or could not keep them. */
  readonly recorded: boolean;
  /** Oldest first. */
  readonly points: readonly TrafficPoint[];
  /** Over all that was recorded up to this moment. */
  readonly totals: TrafficTotals;
  /** The newest point, with its age. */
  readonly latest: Known<TrafficPoint> | null;
  /** The rollout's own events, on the same time axis. */
  readonly marks: readonly Mark[];
};

/** What was answered between two samples. */
export type TrafficPoint = {
  /** The end of the interval. */
  readonly atMs: number;
  readonly seconds: number;
  readonly perSecond: Readonly<Record<StatusClass, number>>;
  /** Of answers without image data; null where there were none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Nothing is known of the time between the point before and this interval: lines are not drawn across. */
  readonly gap: boolean;
  /** Nodes that told their figures, of so many. */
  readonly told: number;
  readonly asked: number;
};

export type TrafficTotals = {
  readonly answers: Readonly<Record<StatusClass, number>>;
  readonly requests: number;
  /** 5xx as the nodes or the balancer count them; the larger number. */
  readonly failures: number;
  readonly transfers: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
};

export type Mark = {
  readonly atMs: number;
  readonly seq: number;
  readonly kind: "phase" | "out" | "back" | "pause" | "failure" | "verdict" | "end";
  readonly node: string | null;
  readonly text: string;
};

export type MigrationView = {
  readonly progress: Known<{
    readonly step: string;
    readonly rowsDone: number;
    readonly rowsTotal: number | null;
    readonly rowsPerSecond: number | null;
    readonly etaSeconds: number | null;
    readonly batchRows: number | null;
    /** Why it goes slower or stands still; null: nothing holds it back. */
    readonly heldBack: string | null;
  }> | null;
  readonly state: "running" | "paused" | "failed" | "done";
};

export type GateView = {
  readonly seq: number;
  readonly atMs: number;
  readonly gate: "backup" | "probe" | "health" | "canary";
  readonly node: string | null;
  readonly verdict: "passed" | "failed";
  readonly text: string;
  readonly figures: CanaryFigures | null;
};

export type NowView = {
  /** What it does or waits for, in words. */
  readonly doing: string;
  readonly why: string | null;
  readonly sinceMs: number | null;
  readonly waits: boolean;
  /** What comes after, in words; null where that is not known or nothing does. */
  readonly next: string | null;
};

/** An entry of the journal that may have been written by another version of this package, or by nobody. */
export type JournalLine = {
  readonly seq: number;
  /** As it is placed on the time axis: never before the entry that stands before it. */
  readonly atMs: number;
  /** As it was written. */
  readonly time: string;
  readonly kind: string;
  readonly phase: string;
  readonly node: string | null;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
};
