// What may be decided, and the words for it. A decision is one step; its reason is for the journal and for the operator.

import type { CanaryFigures } from "./canary/judge-canary.ts";

export type Phase = "backup" | "expand" | "migrate" | "nodes" | "contract" | "revert" | "done";

export type NodeStep =
  /** Balancer: no new requests. */
  | "drain"
  /** Process: finish what you have and exit. */
  | "stop"
  /** Process: exit at once; the operator's policy `cut`. */
  | "cut"
  /** Balancer: out of rotation, without health checks. */
  | "disable"
  | "install"
  /** Process: let a new one, of the target, take over while it serves. */
  | "hand-over"
  | "start"
  /** Create, upload, download and delete an image through this node alone. */
  | "probe"
  /** Balancer: into rotation. */
  | "enable";
export type FleetStep = "back-up" | "expand" | "migrate" | "contract" | "revert";

export type Decision = { readonly phase: Phase; readonly why: string } & (
  | { readonly do: NodeStep; readonly node: string }
  | { readonly do: FleetStep }
  /**
   * `key` names what is waited for: waiting for the same thing has a limit. Several nodes of a batch may be waited for at once; `also`
   * has the keys of the others.
   */
  | { readonly do: "wait"; readonly key: string; readonly node?: string; readonly also?: readonly string[] }
  | {
      readonly do: "pause";
      readonly node?: string;
      /** What was waited for too long. It is waited for on, where other nodes of the batch come back first. */
      readonly key?: string;
      readonly figures?: CanaryFigures;
      /** For the run after it, which reads it in the journal: its operator was told. */
      readonly cause?: "contracted";
    }
  /** The nodes that were moved do as well as the others: a verdict, with its figures. */
  | { readonly do: "judge"; readonly nodes: number; readonly figures: CanaryFigures | null }
  /** They do not, and the fleet is to go back. */
  | { readonly do: "retreat"; readonly figures: CanaryFigures | null }
  /** It has come as far as this run was asked to go. */
  | { readonly do: "reach" }
  /** An operator gave the rollout up: it stays as it stands. */
  | { readonly do: "abort" }
  | { readonly do: "finish" }
);
export type Action = Extract<Decision, { do: NodeStep | FleetStep }>;

const notActs: ReadonlySet<Decision["do"]> = new Set(["wait", "pause", "judge", "retreat", "reach", "abort", "finish"]);

export function isAction(decision: Decision): decision is Action {
  return !notActs.has(decision.do);
}

/** One name for the same action on the same node, to count failures by. */
export function actionKey(decision: Action): string {
  return "node" in decision ? `${decision.do} ${decision.node}` : decision.do;
}
