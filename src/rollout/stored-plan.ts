// The plan as it is kept between `plan` and `run`, and what of the fleet must be the same for it to be the plan of this fleet still.
import { createHash } from "node:crypto";
import { ServiceError } from "../core/errors.ts";
import { isServing } from "./decide-node.ts";
import type { Fleet } from "./fleet.ts";
import type { RolloutPlan } from "./plan-rollout.ts";
import type { Snapshot } from "./snapshot.ts";

export type PlanFacts = {
  readonly target: string;
  readonly due: Snapshot["due"];
  /** Release and whether it serves, by node, in the fleet's order. */
  readonly nodes: Readonly<Record<string, { readonly release: string; readonly serving: boolean }>>;
  /** Hashes of the fleet file's sections: they may hold passwords. */
  readonly settings: Readonly<Record<string, string>>;
};

export type StoredPlan = {
  readonly planId: string;
  /** Who made it, from where and when. */
  readonly told: string;
  readonly facts: PlanFacts;
  readonly plan: RolloutPlan;
};

export function planFacts(fleet: Fleet, seen: Pick<Snapshot, "nodes" | "due">): PlanFacts {
  const { file: _file, target, ...sections } = fleet;
  const nodes = seen.nodes.map((node) => {
    return [node.name, { release: node.release ?? node.configRelease, serving: isServing(node) }] as const;
  });
  const settings = Object.entries(sections).map(([name, value]) => [name, hash(JSON.stringify(value))] as const);
  return { target, due: seen.due, nodes: Object.fromEntries(nodes), settings: Object.fromEntries(settings) };
}

/** What changed since, a phrase each; empty where the plan holds. */
export function changesSince(before: PlanFacts, now: PlanFacts): readonly string[] {
  const changes: string[] = [];
  if (before.target !== now.target) changes.push(`the target was ${before.target} and is ${now.target}`);
  if (before.due !== now.due) changes.push(`the database's next phase was ${before.due} and is ${now.due}`);
  for (const [name, was] of Object.entries(before.nodes)) {
    const is = now.nodes[name];
    if (!is) changes.push(`node ${name} is gone from the fleet file`);
    else if (is.release !== was.release) changes.push(`${name} served ${was.release} and serves ${is.release}`);
    else if (is.serving !== was.serving)
      changes.push(`${name} ${is.serving ? "serves again" : "does not serve any more"}`);
  }
  for (const name of Object.keys(now.nodes)) if (!before.nodes[name]) changes.push(`node ${name} is new`);
  for (const name of new Set([...Object.keys(before.settings), ...Object.keys(now.settings)])) {
    if (before.settings[name] !== now.settings[name]) changes.push(`${name} changed in the fleet file`);
  }
  return changes;
}

/** As text in ASCII. */
export function writePlan(plan: StoredPlan): string {
  return JSON.stringify(plan).replaceAll(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

export function readPlan(body: string): StoredPlan {
  try {
    return JSON.parse(body) as StoredPlan;
  } catch (cause) {
    const message = "the stored plan cannot be read; make it anew with glance-rollout plan";
    throw new ServiceError("rollout.plan_outdated", message, { cause });
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
