// One node's way: drained, stopped, installed, (the schema made ready,) started, probed, back in rotation. snapshot.ts draws it.
import type { Plan } from "./decide.ts";
import type { Decision } from "./decision.ts";
import type { NodeView, Snapshot } from "./snapshot.ts";
import { decideOldGlance } from "./takeover/decide-glance.ts";

/** It takes requests from clients at this moment. */
export function isServing(node: NodeView): boolean {
  return node.process === "running" && node.healthy && node.rotation.state === "ready" && node.rotation.up;
}

/** It serves the target, and may: a process that this run started has passed its gate. */
export function isDone(plan: Plan, node: NodeView): boolean {
  return isServing(node) && isWanted(plan, node) && !unproven(node);
}

/** Its process, or where there is none what it is configured for, is what the plan wants. */
export function isWanted(plan: Pick<Plan, "target" | "takeover">, node: NodeView): boolean {
  const software = node.process === "gone" || (node.software === "glance") === (plan.takeover === "glance");
  return software && (node.release ?? node.configRelease) === plan.target;
}

/** It has served the target without a break for as long as is asked. */
export function isSettled(plan: Plan, seen: Snapshot, node: NodeView): boolean {
  return isDone(plan, node) && (seen.memory.servingMs[node.name] ?? 0) >= plan.minHealthyMs;
}

/** This run started it, and has not yet seen it answer: a balancer that lost its states may have let it in already. */
function unproven(node: NodeView): boolean {
  return node.starts > 0 && node.gate === "untested";
}

/** `serving`: how many nodes of the fleet do at this moment. */
export function decideNode(plan: Plan, seen: Snapshot, node: NodeView, serving: number): Decision {
  if (node.process === "gone") return decideGone(plan, seen, node);
  if (node.process === "stopping") return decideStopping(plan, node);
  return isWanted(plan, node) ? decideNew(plan, seen, node, serving) : decideOld(plan, seen, node, serving);
}

function decideOld(plan: Plan, seen: Snapshot, node: NodeView, serving: number): Decision {
  if (plan.strategy === "handover" && node.handsOver && isServing(node)) return decideHandOver(plan, seen, node);
  const { rotation } = node;
  if (rotation.state === "ready") {
    const after = othersServing(serving, node);
    // A node that serves nobody costs nothing when it goes.
    if (isServing(node) && after < plan.servingMin) {
      const why = `draining ${node.name} would leave ${after} serving; the floor is ${plan.servingMin}`;
      return patiently(plan.startMsMax, seen, { key: `capacity ${node.name}`, node: node.name, why });
    }
    return { do: "drain", phase: "nodes", node: node.name, why: `it serves ${node.release}; ${after} others serve` };
  }
  if (node.software === "glance") return decideOldGlance(plan, seen, node);
  // Long transfers keep their sessions; the node finishes them by itself once it is told to stop. Short ones are waited for here.
  const short = rotation.sessions - (node.transfers?.count ?? 0);
  const key = `settle ${node.name}`;
  const waitedMs = seen.memory.waits[key] ?? 0;
  if (short > 0 && waitedMs <= plan.settleMsMax) {
    return { do: "wait", phase: "nodes", key, node: node.name, why: `${count(short, "request")} under way` };
  }
  const why =
    rotation.sessions > 0 ? `it finishes ${count(rotation.sessions, "request")} first` : "no request under way";
  return { do: "stop", phase: "nodes", node: node.name, why };
}

/** It goes on serving throughout: the schema is made ready first, and no other node is needed meanwhile. */
function decideHandOver(plan: Plan, seen: Snapshot, { name, release }: NodeView): Decision {
  if (seen.due === "expand") return { do: "expand", phase: "expand", why: `the schema lacks what ${plan.target} adds` };
  if (seen.due === "migrate")
    return { do: "migrate", phase: "migrate", why: `rows are not yet as ${plan.target} reads them` };
  return { do: "hand-over", phase: "nodes", node: name, why: `it serves ${release}, and hands over to a new process` };
}

function decideStopping(plan: Plan, node: NodeView): Decision {
  const { name, transfers } = node;
  if (node.rotation.state === "ready")
    return { do: "drain", phase: "nodes", node: name, why: "it is stopping, yet in rotation" };
  const holds =
    transfers && transfers.count > 0 ? `holds ${count(transfers.count, "transfer")}${left(transfers)}` : "is stopping";
  if (node.processMs > plan.drain.msMax && plan.drain.policy !== "wait") {
    const late = `${name} ${holds} after ${seconds(plan.drain.msMax)}`;
    if (plan.drain.policy === "cut")
      return { do: "cut", phase: "nodes", node: name, why: `${late}; the policy is to cut` };
    return {
      do: "pause",
      phase: "nodes",
      node: name,
      why: `${late}; it goes on draining: run again when it is done, or with another drain.policy or deadline`,
    };
  }
  return { do: "wait", phase: "nodes", key: `stop ${name}`, node: name, why: `${name} ${holds}` };
}

function decideGone(plan: Plan, seen: Snapshot, node: NodeView): Decision {
  const { name } = node;
  if (node.rotation.state !== "maint") return { do: "disable", phase: "nodes", node: name, why: "its process is gone" };
  if (node.configRelease !== plan.target)
    return { do: "install", phase: "nodes", node: name, why: `it is configured for ${node.configRelease}` };
  if (node.toInstall) return { do: "install", phase: "nodes", node: name, why: "Glance is gone from it" };
  if (seen.due === "expand") return { do: "expand", phase: "expand", why: `the schema lacks what ${plan.target} adds` };
  if (seen.due === "migrate")
    return { do: "migrate", phase: "migrate", why: `rows are not yet as ${plan.target} reads them` };
  if (node.starts >= plan.startsMax) {
    const why = `${name} did not stay up after ${count(node.starts, "start")}: ${node.lastWords ?? "it left no word"}`;
    return { do: "pause", phase: "nodes", node: name, why };
  }
  const why = plan.takeover === "glance" ? "Glance is to serve from it again" : `it is installed as ${plan.target}`;
  return { do: "start", phase: "nodes", node: name, why };
}

function decideNew(plan: Plan, seen: Snapshot, node: NodeView, serving: number): Decision {
  const { name, rotation } = node;
  if (rotation.state === "ready") {
    if (unproven(node)) {
      // The balancer lost what it was told. Out again, unless too few would serve: then the probe finds it in rotation.
      // A node that was handed over was never out, and is probed where it is.
      const free = plan.strategy !== "handover" && othersServing(serving, node) >= plan.servingMin;
      const why = "it is in rotation without having been probed";
      if (free) return { do: "drain", phase: "nodes", node: name, why };
      if (node.healthy) return { do: "probe", phase: "nodes", node: name, why };
      // By how long it was waited for, not by its process's age: after a hand-over that may be anything.
      const starting = `${name} is in rotation and does not answer its health check yet`;
      return patiently(plan.startMsMax, seen, { key: `start ${name}`, node: name, why: starting });
    }
    const why = node.healthy
      ? `the balancer does not yet see ${name} up`
      : `${name} is in rotation, but its health check fails`;
    return patiently(plan.healthMsMax, seen, { key: `up ${name}`, node: name, why });
  }
  if (!node.healthy) {
    const why = `${name} is starting`;
    if (node.processMs <= plan.startMsMax) return { do: "wait", phase: "nodes", key: `start ${name}`, node: name, why };
    return {
      do: "pause",
      phase: "nodes",
      node: name,
      why: `${name} runs, but its health check did not pass within ${seconds(plan.startMsMax)}; it is left out of rotation`,
    };
  }
  if (node.gate === "untested") return { do: "probe", phase: "nodes", node: name, why: "its health check passes" };
  return {
    do: "enable",
    phase: "nodes",
    node: name,
    why: node.gate === "passed" ? "it answers as it should" : "its health check passes",
  };
}

function othersServing(serving: number, node: NodeView): number {
  return serving - (isServing(node) ? 1 : 0);
}

/** Waits for the same thing up to `msMax`, then leaves it to a person. */
function patiently(msMax: number, seen: Snapshot, wait: { key: string; node: string; why: string }): Decision {
  const waitedMs = seen.memory.waits[wait.key] ?? 0;
  if (waitedMs > msMax) {
    return { ...wait, do: "pause", phase: "nodes", why: `${wait.why}, for ${seconds(waitedMs)} now` };
  }
  return { do: "wait", phase: "nodes", ...wait };
}

function left(transfers: { bytesLeft: number | null; etaSeconds: number | null }): string {
  const bytes = transfers.bytesLeft === null ? "" : `, ${(transfers.bytesLeft / 1_000_000).toFixed(1)} MB left`;
  return transfers.etaSeconds === null ? bytes : `${bytes}, about ${transfers.etaSeconds} s`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
