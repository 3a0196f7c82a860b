// Which nodes are moved at the same time, and when the next one may be taken out. All of it is read off what is seen: a batch is full
// when the nodes that serve the target, and those on their way, come to the end of it.
import { canaryWindowsMax, judgeCanary } from "./canary/judge-canary.ts";
import type { Plan } from "./decide.ts";
import { decideNode, isDone, isServing, isSettled, isWanted } from "./decide-node.ts";
import type { Decision } from "./decision.ts";
import type { NodeView, Snapshot } from "./snapshot.ts";

const reasonsMax = 8;

/** Those to move on, first things first. One that is out of rotation or down comes first: it costs no capacity. */
export function nodesInHand(plan: Plan, seen: Snapshot): readonly NodeView[] {
  const inOrder = plan.way === "back" ? seen.nodes.toReversed() : seen.nodes;
  const byRank: NodeView[][] = ranks.map(() => []);
  for (const node of inOrder) if (!isDone(plan, node)) byRank[rank(plan, node)]?.push(node);
  const left = byRank.flat();
  const begun = byRank.slice(0, begunRanks).flat();
  // Until the schema is ready for the target one node is out, and no more: it could not come back as either release's best.
  const schemaReady = seen.due !== "expand" && seen.due !== "migrate";
  const places = schemaReady ? batchEnd(plan, seen.nodes.length - left.length) - (seen.nodes.length - left.length) : 1;
  return left.slice(0, Math.max(places, schemaReady ? begun.length : 1));
}

const ranks = [0, 1, 2, 3, 4] as const;
/** The first so many are of nodes whose way has begun. */
const begunRanks = 3;

function rank(plan: Plan, node: NodeView): (typeof ranks)[number] {
  const atTarget = isWanted(plan, node);
  if (node.process !== "running" || node.rotation.state !== "ready") return atTarget ? 0 : 1;
  // In rotation at the target but not well: waited for before another one is taken out.
  if (atTarget) return 2;
  return isServing(node) ? 4 : 3;
}

function isBegun(plan: Plan, node: NodeView): boolean {
  return rank(plan, node) < begunRanks;
}

/** How many nodes serve the target when the batch that follows `done` of them is over. */
function batchEnd(plan: Plan, done: number): number {
  let end = 0;
  for (let index = 0; end <= done; index++) end += plan.batches[index] ?? plan.batches.at(-1) ?? 1;
  return end;
}

/** How many nodes served the target when the last batch that is over by now was; 0: none is. */
function lastBatchEnd(plan: Plan, done: number): number {
  let last = 0;
  for (let index = 0; ; index++) {
    const end = last + (plan.batches[index] ?? plan.batches.at(-1) ?? 1);
    if (end > done) return last;
    last = end;
  }
}

/**
 * The next step of a batch; undefined where nothing is left to move. What stands in the way of one node stops no other that is out
 * already: those come back first, and then the rollout pauses.
 */
export function decideBatch(plan: Plan, seen: Snapshot, inHand: readonly NodeView[]): Decision | undefined {
  const waits: Extract<Decision, { do: "wait" }>[] = [];
  const overdue: string[] = [];
  let pause: Decision | undefined;
  let comesBack = false;
  // On the way back the last one goes first: none is moved while one behind it is held, say by the capacity floor.
  let isHeld = false;
  // Asked once for all of them: a batch of thousands would otherwise look at the whole fleet for each of its nodes.
  const serving = seen.nodes.filter(isServing).length;
  let between: { readonly decision: Decision | undefined } | undefined;
  for (const node of inHand) {
    const isNext = !isBegun(plan, node);
    if (isNext && (pause || isHeld)) continue;
    if (isNext) between ??= { decision: decideBetween(plan, seen) };
    const decision = (isNext ? between?.decision : undefined) ?? decideNode(plan, seen, node, serving);
    if (decision.do === "wait") {
      waits.push(decision);
      isHeld ||= isNext && plan.way === "back";
      // A node that finishes long transfers does so without us.
      comesBack ||= !isNext && node.process !== "stopping";
    } else if (decision.do !== "pause") return decision;
    else {
      pause ??= decision;
      // Its time goes on: it would be waited for anew for as long as any other one is.
      if (decision.key !== undefined) overdue.push(decision.key);
    }
  }
  const [first, ...others] = waits;
  if (pause && !comesBack) return pause;
  if (!first) return pause;
  const also = [...others.map((wait) => wait.key), ...overdue].filter((key) => key !== first.key);
  return { ...first, why: someOf([...new Set(waits.map((wait) => wait.why))]), also: [...new Set(also)] };
}

/** A line stays a line, however many nodes are waited for. */
function someOf(reasons: readonly string[]): string {
  const told = reasons.slice(0, reasonsMax).join("; ");
  return reasons.length > reasonsMax ? `${told}; and ${reasons.length - reasonsMax} more` : told;
}

/** What has to be so before another node is taken out. */
function decideBetween(plan: Plan, seen: Snapshot): Decision | undefined {
  return decideUnsettled(plan, seen) ?? decideCanary(plan, seen) ?? decideCanaryEnd(plan, seen) ?? decideOutdated(seen);
}

/** A balancer that was reloaded goes on serving some connections by what it knew before: of a node that came back since it knows nothing. */
function decideOutdated({ balancerOutdatedMs = 0 }: Snapshot): Decision | undefined {
  if (balancerOutdatedMs <= 0) return undefined;
  const left = `${Math.ceil(balancerOutdatedMs / 1000)} s`;
  const why = `the balancer was reloaded or started: for ${left} yet clients may be served by what it knew before`;
  return { do: "wait", phase: "nodes", key: "balancer", why };
}

/** After each batch the nodes that were moved are compared with those that were not, as long as there are any. */
function decideCanary(plan: Plan, seen: Snapshot): Decision | undefined {
  const { canary } = plan;
  const done = seen.nodes.filter((node) => isDone(plan, node)).length;
  // Nodes that were down come back beside the batch: its end may be stepped over, and is judged all the same.
  if (!canary || plan.way === "back" || seen.memory.judgedNodes >= lastBatchEnd(plan, done)) return undefined;
  const figures = seen.canary;
  const { verdict, why } = judgeCanary(canary, figures);
  const phase = "nodes";
  if (verdict === "passed") return { do: "judge", phase, why, nodes: done, figures };
  if (verdict === "failed") {
    if (canary.onFailure === "rollback") return { do: "retreat", phase, why, figures };
    return {
      do: "pause",
      phase,
      why: `${why}; take them back with glance-rollout rollback, or run it again`,
      ...(figures && { figures }),
    };
  }
  if ((seen.memory.waits.canary ?? 0) > canary.windowMs * canaryWindowsMax) {
    return {
      do: "pause",
      phase,
      key: "canary",
      why: `${why}; send it more, lower gates.canary.requests_min, or leave gates.canary out`,
    };
  }
  return { do: "wait", phase, key: "canary", why };
}

function decideCanaryEnd(plan: Plan, seen: Snapshot): Decision | undefined {
  if (plan.until !== "canary") return undefined;
  const done = seen.nodes.filter((node) => isDone(plan, node)).length;
  if (done < plan.batches[0]) return undefined;
  const why = `the first ${done === 1 ? "node serves" : `${done} nodes serve`} ${plan.target}; the others are left for later`;
  return { do: "reach", phase: "nodes", why };
}

/** Waits for a node that was moved, and has not served for long enough yet to be trusted. */
export function decideUnsettled(plan: Plan, seen: Snapshot): Decision | undefined {
  const fresh = seen.nodes.find((node) => isDone(plan, node) && !isSettled(plan, seen, node));
  if (!fresh) return undefined;
  const why = `${fresh.name} is to serve for ${plan.minHealthyMs / 1000} s without a break first`;
  return { do: "wait", phase: "nodes", key: `healthy ${fresh.name}`, node: fresh.name, why };
}
