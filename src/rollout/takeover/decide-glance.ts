// What a Glance means to a rollout: it is what is taken over, or a stranger that the next phase would break; and how one is taken out of
// service, which does not finish by itself what it has begun.
import { releaseOf } from "../../releases/catalogue.ts";
import type { Plan } from "../decide.ts";
import type { Decision } from "../decision.ts";
import type { NodeView, Snapshot } from "../snapshot.ts";

/** A Glance where none may be; undefined where there is none. */
export function decideGlance(plan: Plan, seen: Snapshot): Decision | undefined {
  const both = seen.nodes.find((node) => node.glance !== undefined && node.software !== "glance");
  if (both) {
    const why = `${both.name} is ours, and a Glance lives on its host again (${both.glance}): stop it, see to it that nothing starts it, then run again`;
    return { do: "pause", phase: "nodes", node: both.name, why };
  }
  if (plan.takeover) return undefined;
  const node = seen.nodes.find((one) => one.software === "glance");
  if (!node) return undefined;
  const why = `${node.name} is a Glance (${node.glance}), which knows nothing of ${plan.target}`;
  const next =
    seen.due === "nothing"
      ? "the database is past it already: stop it, and run again to bring our node back"
      : "take it over first: glance-rollout takeover run";
  return { do: "pause", phase: "nodes", node: node.name, why: `${why}; ${next}` };
}

/** Somebody else contracted the database under nodes that need what is gone; undefined where nobody did, or that has been told. */
export function decideContracted(plan: Plan, seen: Snapshot): Decision | undefined {
  const { contracted } = seen;
  if (plan.way === "back" || !contracted || contracted.told) return undefined;
  const level = releaseOf(contracted.to).level;
  const node = seen.nodes.find((one) => one.release !== null && releaseOf(one.release).level < level);
  if (!node) return undefined;
  const why = `the database was contracted to ${contracted.to} while ${node.name} serves ${node.release}, and not by this rollout: somebody ran db sync or db contract. There is no way back but the backup; see to it that nobody does so again, and run again at once to bring every node to ${plan.target}`;
  return { do: "pause", phase: "nodes", node: node.name, why, cause: "contracted" };
}

/** It is out of rotation. Told to stop it would cut what it has, so all of that has to end first, or `cut` to be the policy. */
export function decideOldGlance(plan: Plan, seen: Snapshot, node: NodeView): Decision {
  const { name, rotation } = node;
  const imports = node.transfers?.count ?? 0;
  const key = `settle ${name}`;
  const waitedMs = seen.memory.waits[key] ?? 0;
  if (rotation.sessions === 0 && imports === 0)
    return { do: "stop", phase: "nodes", node: name, why: "Glance has no request and no import under way" };
  const holds = [
    rotation.sessions > 0 ? counted(rotation.sessions, "request") : "",
    imports > 0 ? counted(imports, "import") : "",
  ];
  const why = `Glance on ${name} has ${holds.filter(Boolean).join(" and ")} under way`;
  const { msMax, policy } = plan.drain;
  if (policy === "wait" || waitedMs <= msMax) return { do: "wait", phase: "nodes", key, node: name, why };
  const late = `${why} after ${Math.round(waitedMs / 1000)} s`;
  if (policy === "cut") return { do: "stop", phase: "nodes", node: name, why: `${late}; the policy is to cut` };
  return {
    do: "pause",
    phase: "nodes",
    node: name,
    why: `${late}; run again when they are done, or with another drain.policy`,
  };
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
