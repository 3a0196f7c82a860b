// What a rollout promises, checked at every effect against the fleet as it really was when the run looked, and against the plan as it
// was made. It shares no code with the decisions it judges.
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import type { Plan } from "../../decide.ts";
import type { Action } from "../../decision.ts";
import type { JournalEvent } from "../../journal-event.ts";
import type { HeldLease } from "../../lease.ts";
import type { OperatorRequest, RotationState } from "../../snapshot.ts";
import type { SimulatedDatabase } from "./database.ts";
import type { SimulatedFleet } from "./fleet.ts";
import { type Scenario, skewMsMax } from "./scenario.ts";

/** A promise that was broken; it ends the simulation. */
export class Broken extends Error {}

export type NodeTruth = {
  readonly serves: boolean;
  readonly release: ReleaseId | null;
  readonly configRelease: ReleaseId;
  readonly state: RotationState;
  /** null: it is not stopping. */
  readonly stoppingMs: number | null;
  /** How long this run has seen it serve without a break. */
  readonly seenServingMs: number;
};
export type Truth = {
  readonly atMs: number;
  readonly nodes: readonly NodeTruth[];
  readonly serving: number;
  /** Writers besides the fleet that the next phase would break. */
  readonly writers: number;
  readonly request: OperatorRequest | null;
  /** The nodes that each process of the balancer knows which was replaced and still serves. */
  readonly former: readonly ReadonlySet<number>[];
};
export type Effect = {
  readonly action: Action;
  /** Of the scenario: a run that was given another one has to keep this one's promises all the same. */
  readonly plan: Plan;
  readonly truth: Truth;
  readonly held: HeldLease;
  readonly lastDecision: JournalEvent | undefined;
  readonly nowMs: number;
};

/** A journal that is slow for as long as the runner puts up with it, and then a lease that is confirmed as late as may be. */
const truthMsMax = 30_000;

export class Promises {
  readonly #scenario: Scenario;
  readonly #fleet: SimulatedFleet;
  readonly #database: SimulatedDatabase;

  constructor(scenario: Scenario, fleet: SimulatedFleet, database: SimulatedDatabase) {
    this.#scenario = scenario;
    this.#fleet = fleet;
    this.#database = database;
  }

  /** Throws Broken. */
  check(effect: Effect): void {
    const { action, truth, held, lastDecision, nowMs } = effect;
    const { lease } = this.#database;
    const node = "node" in action ? action.node : undefined;
    keep(lease?.fence === held.fence && lease.holder === held.holder, "an effect of a run whose lease is another's");
    keep(nowMs - truth.atMs <= truthMsMax, `${action.do}: it rests on a look of ${nowMs - truth.atMs} ms ago`);
    const isTold = lastDecision?.data?.do === action.do && lastDecision.node === node;
    keep(isTold, `${action.do} ${node ?? ""}: done before it was journaled`);
    keep(truth.request === null, `${action.do}: done while an operator's ${truth.request?.do} stood`);
    if (node === undefined) this.#checkFleet(effect);
    else this.#checkNode(effect, Number(node.slice(1)) - 1);
  }

  #checkNode({ action, plan, truth, nowMs }: Effect, index: number): void {
    const { [index]: was } = truth.nodes;
    const node = this.#fleet.nodes[index];
    keep(was !== undefined && node !== undefined, `${action.do}: the node is of this fleet`);
    switch (action.do) {
      case "drain":
        if (was.serves) keep(truth.serving - 1 >= plan.servingMin, `drain ${node.name}: below the capacity floor`);
        if (was.serves && was.release !== plan.target) this.#checkMove(plan, truth, index);
        if (was.serves) checkFormer(truth, index);
        return;
      case "hand-over":
        keep(this.#database.fits(plan.target), `hand-over ${node.name}: the schema is not ready for ${plan.target}`);
        this.#checkMove(plan, truth, index);
        return;
      case "disable":
        keep(!was.serves, `disable ${node.name}: it serves`);
        return;
      case "stop":
        keep(was.state !== "ready", `stop ${node.name}: it is in rotation`);
        return;
      case "cut": {
        const isLate = was.stoppingMs !== null && was.stoppingMs > plan.drain.msMax;
        keep(plan.drain.policy === "cut" && isLate, `cut ${node.name}: against the policy ${plan.drain.policy}`);
        return;
      }
      case "start":
        // Where nobody serves nobody shows what fits, and the node's own start guard has to say it.
        if (node.process === null && truth.serving > 0)
          keep(
            this.#database.fits(was.configRelease),
            `start ${node.name}: the schema does not fit ${was.configRelease}`,
          );
        return;
      case "enable":
        keep(was.release === plan.target, `enable ${node.name}: it serves ${was.release}`);
        keep(nowMs >= (node.process?.readyAtMs ?? 0), `enable ${node.name}: it is not ready`);
    }
  }

  /** A node that serves is taken out of rotation, or replaced while it serves. */
  #checkMove(plan: Plan, truth: Truth, index: number): void {
    const name = `n${index + 1}`;
    const done = truth.nodes.filter((node) => node.serves && node.release === plan.target);
    for (const node of done)
      keep(node.seenServingMs >= plan.minHealthyMs, `${name} is moved before another one has served long enough`);
    const isReady = plan.way === "back" || this.#database.fits(plan.target);
    const out = truth.nodes.filter((node, other) => other !== index && !node.serves).length;
    const places = isReady ? batchEnd(plan, done.length) - done.length : 1;
    keep(out + 1 <= places, `${name} is moved while ${out} are out, of ${places} places`);
    if (plan.way === "back") {
      const later = truth.nodes.findIndex(
        (node, other) => other > index && node.serves && node.release !== plan.target,
      );
      keep(later === -1, `${name} goes back before n${later + 1}`);
    } else this.#checkCanary(plan, done.length, name);
  }

  /** A release that answers wrongly, or too slowly, goes no further than its first batch. */
  #checkCanary(plan: Plan, done: number, name: string): void {
    const { bad, nodes } = this.#scenario;
    if (!plan.canary || (bad !== "fails one in fifty" && bad !== "three times slower")) return;
    keep(done < plan.batches[0] || plan.batches[0] >= nodes, `${name} is moved to a release that is known to be bad`);
  }

  #checkFleet({ action, plan, truth, nowMs }: Effect): void {
    const sign = plan.way === "back" ? -1 : 1;
    const isBehind = (release: ReleaseId) => sign * (releaseOf(release).order - releaseOf(plan.target).order) < 0;
    const alive = truth.nodes.findIndex(({ release }) => release !== null && isBehind(release));
    switch (action.do) {
      case "expand":
        keep(this.#database.hasBackup, "expand: before the backup");
        return;
      case "migrate":
        keep(this.#database.isExpanded, "migrate: before expand");
        return;
      case "contract": {
        keep(plan.way === "forward" && plan.until === null, "contract: it was not asked for");
        keep(alive === -1, `contract: n${alive + 1} is of an older release, and lives`);
        keep(truth.writers === 0, "contract: an older process besides the fleet may still write");
        const soakedMs = nowMs - this.#fleet.changedMs + 2 * skewMsMax;
        keep(soakedMs >= plan.soakMs, `contract: ${soakedMs} ms after the last change of a node`);
        return;
      }
      case "revert":
        keep(plan.way === "back" && !this.#database.hasContractBegun, "revert: there is no way back");
        keep(alive === -1, `revert: n${alive + 1} is of the newer release, and lives`);
        keep(truth.writers === 0, "revert: a newer process besides the fleet may still write");
    }
  }
}

/** Connections of before a reload find a node as long as one of those is left that their process knows. */
function checkFormer({ former, nodes }: Truth, index: number): void {
  const left = nodes.flatMap(({ serves }, other) => (serves && other !== index ? [other] : []));
  for (const knows of former)
    keep(
      !knows.has(index) || left.length === 0 || left.some((other) => knows.has(other)),
      `drain n${index + 1}: a process of the balancer that was replaced knows none of those that are left`,
    );
}

function batchEnd({ batches }: Plan, done: number): number {
  let end = 0;
  for (let index = 0; end <= done; index++) end += batches[index] ?? batches.at(-1) ?? 1;
  return end;
}

export function keep(isKept: boolean, promise: string): asserts isKept {
  if (!isKept) throw new Broken(promise);
}
