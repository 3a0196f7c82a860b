// The contract of node drivers: how one node's process and its installed release are seen and changed. Whether a step is right is
// decided elsewhere; a driver makes it, and may be asked twice for the same without harm.
import type { ReleaseId } from "../../releases/catalogue.ts";

export type NodeObservation = {
  /** What the node runs as when it is started next. */
  readonly configRelease: ReleaseId;
  /** stopping: it was told to stop, by whomever the driver knows of, and has not ended yet. */
  readonly process: "running" | "stopping" | "gone";
  /** It was to be told to stop, but the rollout may have died before it was: only its health check tells whether it heard. */
  readonly stopUnsure: boolean;
  /** Tells this process from every other one, before and after it; null when gone. */
  readonly processId: string | null;
  /** The process id on the node's host, as the registry has it; null when gone, or where the driver cannot know it. */
  readonly pid: number | null;
  /** How long the process has been in this state; 0 when gone. */
  readonly processMs: number;
  /** What the last process said before it ended, in one line; null where nothing is known. */
  readonly lastWords: string | null;
  /** The process understands a hand-over. Absent: it does not, or the driver cannot tell. */
  readonly handsOver?: boolean;
  /** For people, of one that does not: what a hand-over of it lacks. */
  readonly handOverLacks?: string;
  /** What the process is; absent: ours. */
  readonly software?: "glance";
  /** For people: which process that is. */
  readonly told?: string;
  /** For people: a process of Glance that lives on the host besides ours. */
  readonly besides?: string;
  /** What is to be started was not installed by this run; absent: the release alone says whether it is due. */
  readonly toInstall?: boolean;
  /** Of the Glance that we stopped: its ends of its connections, as `address:port`. While the database has one of them it is not gone. */
  readonly connections?: readonly string[];
};

export interface NodeDriver {
  /** How long install may take, in milliseconds, where that can be longer than other acts of a rollout. */
  readonly installMsMax?: number;
  /** Throws rollout.driver_failed where the host does not answer, config.invalid where the node's configuration cannot be read. */
  observe(signal: AbortSignal): Promise<NodeObservation>;
  /**
   * Tells the process to finish what it has and exit; returns when it has been told, not when it is gone. Harmless when it is gone, and
   * a process that was surely told is not told again: a second signal would cut its transfers.
   */
  stop(signal: AbortSignal): Promise<void>;
  /** Ends the process now, at the cost of what it has under way. Returns when it is gone. */
  cut(signal: AbortSignal): Promise<void>;
  /** Makes `release` what the node runs as when it is started next. All or nothing. Only called while the process is gone. */
  install(release: ReleaseId, signal: AbortSignal): Promise<void>;
  /**
   * Starts the process so that it outlives ours; returns when it is observable, healthy or not. Where one runs already it is left alone.
   * Throws rollout.driver_failed where it cannot be started.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Whether the node comes up by itself when its host does. Absent: that is not the driver's to say. */
  startAtBoot?(wanted: boolean, signal: AbortSignal): Promise<void>;
  /**
   * Makes `release` what the node runs as, and lets a new process of it take over while the old one serves; returns when the new one
   * serves. All or nothing: where it does not take over, the node and its configuration stay as they were, and rollout.driver_failed says
   * why. Asked for again while one is under way it waits for that one. What the old process has begun goes on, and is nobody's to wait
   * for here. Absent: the driver cannot.
   */
  handOver?(release: ReleaseId, signal: AbortSignal): Promise<void>;
}
