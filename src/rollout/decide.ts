// The decision core of a rollout: what was seen goes in, one step with its reason comes out. Pure: no clock, no network, no state.
// The order is: back up, take the first node out, expand, migrate, bring it back, the other nodes batch by batch, contract.
import assert from "node:assert/strict";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import type { CanaryRule } from "./canary/judge-canary.ts";
import { decideBatch, decideUnsettled, nodesInHand } from "./decide-batch.ts";
import { isDone, isServing } from "./decide-node.ts";
import type { Decision, Phase } from "./decision.ts";
import type { DrainPolicy } from "./fleet.ts";
import type { NodeView, Snapshot, Stranger } from "./snapshot.ts";
import { decideContracted, decideGlance } from "./takeover/decide-glance.ts";

export type Plan = {
  /** back: the nodes return to `target`, the last one first, and then the schema. Only before a contract. */
  readonly way: "forward" | "back";
  readonly target: ReleaseId;
  /** Taking a node out must leave this many serving. */
  readonly servingMin: number;
  readonly drain: { readonly msMax: number; readonly policy: DrainPolicy };
  /** How long short requests of a drained node are waited for before it is told to stop; it finishes longer ones itself. */
  readonly settleMsMax: number;
  /** How many nodes are moved before the fleet is looked at again, batch by batch; the last number goes for all that follow. */
  readonly batches: readonly [number, ...number[]];
  /** From the start of a process to its health check. */
  readonly startMsMax: number;
  /** From its return to rotation until the balancer finds it well too, and while it is unwell in rotation. */
  readonly healthMsMax: number;
  /** A node that was moved serves this long without a break before another one is taken out. */
  readonly minHealthyMs: number;
  /** How nodes that were moved are compared with those that were not, after each batch; null: not at all. */
  readonly canary: CanaryRule | null;
  /** Every node serves the target this long before the contract. */
  readonly soakMs: number;
  readonly startsMax: number;
  /** An action that fails is made again this often in a row. */
  readonly failuresMax: number;
  /** How long nodes that are no longer there may take to fade from the registry. */
  readonly strangersMsMax: number;
  /** The last phase that this run is to do; null: all of them. */
  readonly until: Until | null;
  /** handover: nodes that can are upgraded in place, and never leave rotation. Absent: drain. */
  readonly strategy?: Strategy;
  /** What is to serve in the end, where nodes are taken over from Glance or given back to it. Absent: ours, and a Glance is a stranger. */
  readonly takeover?: "perennial" | "glance";
};

export const strategies = ["drain", "handover"] as const;
export type Strategy = (typeof strategies)[number];

/** canary: the first batch, and its comparison with the other nodes. */
export const untils = ["backup", "expand", "migrate", "canary", "nodes"] as const;
export type Until = (typeof untils)[number];

/** The next step. Whatever was seen, it never leaves fewer than `servingMin` serving by its own doing, and never contracts under an old node. */
export function decide(plan: Plan, seen: Snapshot): Decision {
  assert(seen.nodes.length > 0, "a fleet has nodes");
  const { request } = seen;
  if (request?.do === "abort") {
    return {
      do: "abort",
      phase: phaseOf(plan, seen),
      why: `given up by ${request.told}; everything stays as it stands`,
    };
  }
  const beyond = decideBeyond(plan, seen);
  if (beyond) return beyond;
  const { failed } = seen.memory;
  if (failed && failed.count >= plan.failuresMax) {
    return {
      do: "pause",
      phase: phaseOf(plan, seen),
      why: `${failed.key} failed ${failed.count} times: ${failed.text}`,
    };
  }
  const inHand = nodesInHand(plan, seen);
  if (inHand.length === 0 && seen.due === "nothing") {
    const database = plan.way === "back" ? "reverted" : "contracted";
    const why = plan.takeover
      ? `every node is ${plan.takeover === "glance" ? "Glance" : "ours"} and serves ${plan.target}`
      : `every node serves ${plan.target} and the database is ${database}`;
    return { do: "finish", phase: "done", why };
  }
  if (request) {
    const why = `paused by ${request.told}; go on with glance-rollout resume`;
    return { do: "wait", phase: phaseOf(plan, seen), key: "request", why };
  }
  if (plan.way === "back") return decideBatch(plan, seen, inHand) ?? decideRevert(plan, seen);
  if (seen.backup !== "verified") {
    return { do: "back-up", phase: "backup", why: "no backup of this rollout has been read back" };
  }
  if (plan.until === "backup") return { do: "reach", phase: "backup", why: "the backup has been made and read back" };
  const crashed = toRevive(plan, seen);
  if (crashed) return crashed;
  if (plan.until === "expand" || plan.until === "migrate") return decideSchema(plan, seen, plan.until);
  return decideBatch(plan, seen, inHand) ?? decideEnd(plan, seen);
}

/** What no rollout of this way may touch. */
function decideBeyond(plan: Plan, seen: Snapshot): Decision | undefined {
  if (seen.due === "closed") {
    const why = "the contract has begun, so there is no way back: restore the backup, or go on with glance-rollout run";
    return { do: "pause", phase: "revert", why };
  }
  const glance = decideGlance(plan, seen) ?? decideContracted(plan, seen);
  if (glance) return glance;
  const sign = plan.way === "back" ? -1 : 1;
  const distance = (node: NodeView) => sign * (orderOf(node.release ?? node.configRelease) - orderOf(plan.target));
  const node = seen.nodes.find((one) => distance(one) > 0);
  if (!node) return undefined;
  const than = plan.way === "back" ? "older" : "newer";
  const why = `${node.name} runs as ${node.release ?? node.configRelease}, which is ${than} than the target ${plan.target}`;
  return { do: "pause", phase: "nodes", node: node.name, why };
}

/** Every node serves the older release again: what is left is to take out of the schema what only newer ones use. */
function decideRevert(plan: Plan, seen: Snapshot): Decision {
  const waiting = decideStrangers(plan, seen, "revert");
  if (waiting) return waiting;
  return { do: "revert", phase: "revert", why: `every node serves ${plan.target}, no newer one runs anywhere` };
}

/** Nodes of somebody else that the next phase would break: waited for while they may be fading from the registry. */
function decideStrangers(plan: Plan, seen: Snapshot, phase: "contract" | "revert"): Decision | undefined {
  // A process that has handed over is only waited for; a node that somebody has to see to is told first.
  const [stranger] = seen.strangers.toSorted(
    (one, other) => Number(one.leaves !== null) - Number(other.leaves !== null),
  );
  if (!stranger) return undefined;
  if (stranger.leaves !== null) return decideLeaving(plan, seen, stranger, phase);
  const age = Math.round(stranger.heartbeatAgeSeconds);
  const why = `${stranger.name}, not of this fleet, serves ${stranger.release} (heard of ${age} s ago)`;
  if ((seen.memory.waits.strangers ?? 0) > plan.strangersMsMax) {
    const what = phase === "contract" ? "stop or upgrade it" : "stop it or take it back";
    return { do: "pause", phase, why: `${why}; ${what}, then run again` };
  }
  return { do: "wait", phase, key: "strangers", why };
}

/** A process that has handed over and may still write: nobody waits for it but the database's last step. Nothing of it is ever cut. */
function decideLeaving(plan: Plan, seen: Snapshot, stranger: Stranger, phase: "contract" | "revert"): Decision {
  const { leaves, release } = stranger;
  const why = `${phase} waits for uploads or imports in a process of ${leaves} that has handed over (${release})`;
  if (plan.drain.policy !== "wait" && (seen.memory.waits.leaving ?? 0) > plan.drain.msMax)
    return { do: "pause", phase, why: `${why}; every node serves ${plan.target}: run again when it is done` };
  return { do: "wait", phase, key: "leaving", why };
}

/** A node that died in rotation while the schema is not ready for the target serves again as what it was, where it is needed. */
function toRevive(plan: Plan, seen: Snapshot): Decision | undefined {
  if (seen.due !== "expand" && seen.due !== "migrate") return undefined;
  const serving = seen.nodes.filter(isServing);
  if (serving.length >= plan.servingMin) return undefined;
  // Somebody may have configured it for a release that does not fit this schema; what others serve does.
  const fitting = new Set(serving.map((node) => node.release));
  const crashed = seen.nodes.find(
    (node) =>
      node.process === "gone" &&
      node.rotation.state === "ready" &&
      node.configRelease !== plan.target &&
      (fitting.size === 0 || fitting.has(node.configRelease)) &&
      node.starts < plan.startsMax,
  );
  if (!crashed) return undefined;
  const why = `${crashed.name} died in rotation and ${serving.length} of at least ${plan.servingMin} serve: started again as ${crashed.configRelease}`;
  return { do: "start", phase: phaseOf(plan, seen), node: crashed.name, why };
}

/** The schema alone, while every node goes on serving what it serves: all of it is harmless to older nodes. */
function decideSchema(plan: Plan, seen: Snapshot, until: "expand" | "migrate"): Decision {
  if (seen.due === "expand") return { do: "expand", phase: "expand", why: `the schema lacks what ${plan.target} adds` };
  if (seen.due === "migrate" && until === "migrate") {
    return { do: "migrate", phase: "migrate", why: `rows are not yet as ${plan.target} reads them` };
  }
  const out = seen.nodes.filter((node) => !isServing(node)).map((node) => node.name);
  const left = out.length > 0 ? `; not serving: ${out.join(", ")}` : "";
  return { do: "reach", phase: until, why: `the database is ready as far as ${until}${left}` };
}

/** Every node serves the target: what is left is the database. */
function decideEnd(plan: Plan, seen: Snapshot): Decision {
  if (seen.due === "expand") return { do: "expand", phase: "expand", why: `the schema lacks what ${plan.target} adds` };
  if (seen.due === "migrate") return { do: "migrate", phase: "migrate", why: "rows are pending again" };
  const unsettled = decideUnsettled(plan, seen);
  if (unsettled) return unsettled;
  if (plan.until === "nodes" || plan.until === "canary") {
    return { do: "reach", phase: "nodes", why: `every node serves ${plan.target}; contract is pending` };
  }
  const waiting = decideStrangers(plan, seen, "contract");
  if (waiting) return waiting;
  if (seen.soakedMs < plan.soakMs) {
    const why = `every node serves ${plan.target}; contract waits until they have done so for ${plan.soakMs / 1000} s`;
    return { do: "wait", phase: "contract", key: "soak", why };
  }
  return { do: "contract", phase: "contract", why: `every node serves ${plan.target}, no older one runs anywhere` };
}

function phaseOf(plan: Plan, seen: Snapshot): Phase {
  if (plan.way === "forward" && seen.backup !== "verified") return "backup";
  if (seen.nodes.some((node) => !isDone(plan, node))) return "nodes";
  return seen.due === "nothing" ? "done" : seen.due === "closed" ? "revert" : seen.due;
}

function orderOf(release: ReleaseId): number {
  return releaseOf(release).order;
}
