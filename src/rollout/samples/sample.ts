// What is written down of a fleet every couple of seconds while a rollout runs: what its nodes have answered so far, and how each of
// them is. Counts only ever grow within one run, so that any sample can be left out later and the others still tell the truth.
import type { RotationState, TransfersView } from "../snapshot.ts";

export const statusClasses = ["2xx", "3xx", "4xx", "5xx"] as const;
export type StatusClass = (typeof statusClasses)[number];

/** The whole fleet's answers since this run of the rollout began to look. */
export type FleetSample = {
  /** Wall clock of the rollout's host, as the journal's entries. */
  readonly atMs: number;
  /** Counts of different runs have nothing to do with each other. */
  readonly run: string;
  readonly answers: Readonly<Record<StatusClass, number>>;
  /** Of these, uploads and downloads of image data that ended well. */
  readonly transfers: number;
  /** Answers without image data by upper edge of their time in seconds, each with all that were quicker; null: no edge. */
  readonly times: readonly (readonly [edgeSeconds: number | null, count: number])[];
  /** Failed answers as the balancer counts them, those that never came among them; null where it does not tell. */
  readonly balancerFailures: number | null;
  /** Nodes that told their figures, of so many that were asked. */
  readonly told: number;
  readonly asked: number;
};

/** One node as it was found; null: nobody could tell. */
export type NodeSample = {
  readonly name: string;
  readonly release: string | null;
  readonly process: "running" | "stopping" | "gone" | null;
  /** Its health check passes. */
  readonly healthy: boolean | null;
  readonly rotation: RotationState | null;
  /** The balancer finds it well. */
  readonly up: boolean | null;
  /** The balancer's requests under way at it. */
  readonly requests: number | null;
  readonly transfers: TransfersView | null;
  readonly heartbeatAgeSeconds: number | null;
};

/** All nodes at one moment, read when they are needed: a rollout of a day has many of them. */
export type NodesSample = { readonly atMs: number; readonly read: () => readonly NodeSample[] };

/** Oldest first. */
export type SampleSeries = { readonly fleet: readonly FleetSample[]; readonly nodes: readonly NodesSample[] };
