// The world of one simulated run: what its looks find, and what its steps do. As the real one it makes sure of its lease first, and
// it remembers no more than a process can.
import { ServiceError } from "../../../core/errors.ts";
import { withDeadline } from "../../deadline.ts";
import type { Plan } from "../../decide.ts";
import type { Action, FleetStep } from "../../decision.ts";
import type { JournalEvent } from "../../journal-event.ts";
import type { HeldLease, RolloutLease } from "../../lease.ts";
import type { Done, Report, World } from "../../runner.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { BadDriver } from "./fault.ts";
import type { NodeTruth, Truth } from "./promises.ts";
import type { Simulation } from "./simulation.ts";
import type { SimulatedProcess } from "./virtual-time.ts";

const confirmMsMax = 15_000;
const driverMsMax = 30_000;
/** As between looks of the real one. */
const heldFreshMs = 2_000;

export type WorldParts = {
  readonly simulation: Simulation;
  readonly process: SimulatedProcess;
  readonly lease: Pick<RolloutLease, "confirm" | "mayAct">;
  readonly held: HeldLease;
  readonly plan: Plan;
  readonly skewMs: number;
  readonly journaled: () => readonly JournalEvent[];
};

export class SimulatedWorld implements World {
  readonly #parts: WorldParts;
  readonly #starts = new Map<number, number>();
  /** Processes that passed the probe, by their number. */
  readonly #proven = new Set<number>();
  /** Since when this run has seen a node serve at every look. */
  readonly #servingSinceMs = new Map<number, number>();
  #truth: Truth | null = null;

  constructor(parts: WorldParts) {
    this.#parts = parts;
  }

  get truth(): Truth | null {
    return this.#truth;
  }

  async observe(signal: AbortSignal): Promise<Omit<Snapshot, "memory">> {
    await this.#confirm(heldFreshMs, signal);
    return this.look(signal);
  }

  async look(signal: AbortSignal): Promise<Omit<Snapshot, "memory">> {
    const { simulation, process, plan } = this.#parts;
    const { fleet, database, time } = simulation;
    await process.sleep(5, signal);
    if (time.nowMs < fleet.balancerAwayUntilMs)
      throw new ServiceError("rollout.driver_failed", "the balancer cannot be asked");
    if (time.nowMs < fleet.hostAwayUntilMs) {
      await process.sleep(5_000, signal);
      throw new ServiceError("rollout.driver_failed", "n1: its host does not answer");
    }
    const seen = await database.read(process, () => ({ due: database.due(plan.way), request: database.request }));
    fleet.settle();
    this.#truth = this.#truthNow(seen.request);
    return {
      ...seen,
      nodes: fleet.nodes.map((node) => {
        const proven = node.process !== null && this.#proven.has(node.process.id);
        return node.view(time.nowMs, { starts: this.#starts.get(node.index) ?? 0, proven });
      }),
      backup: database.hasBackup ? "verified" : "missing",
      strangers: fleet.strangers(plan.way, plan.target),
      soakedMs: this.#soakedMs(),
      balancerOutdatedMs: Math.max(0, ...fleet.former.map(({ untilMs }) => untilMs - time.nowMs)),
      canary: plan.canary ? fleet.canary() : null,
    };
  }

  async act(action: Action, report: Report, stop: AbortSignal): Promise<Done> {
    const { process, simulation, lease } = this.#parts;
    await this.#confirm(0, stop);
    const signal = AbortSignal.any([stop, lease.mayAct]);
    const fault = simulation.nextDriverFault();
    process.isActing = true;
    try {
      await process.sleep(5, signal);
      if (fault === "hangs") await process.sleep(driverMsMax, signal);
      if (fault !== undefined && fault !== "times out after acting") throw failure(action, fault);
      const done = await this.#effect(action, report, signal);
      // What was done is done, whether or not the answer comes.
      if (fault !== undefined) {
        await process.sleep(driverMsMax, signal);
        throw failure(action, fault);
      }
      return done;
    } finally {
      process.isActing = false;
    }
  }

  async #confirm(freshMs: number, signal: AbortSignal): Promise<void> {
    const { lease, process, skewMs } = this.#parts;
    const clock = process.clock(skewMs);
    await withDeadline(
      "renewing the lease",
      confirmMsMax,
      signal,
      () => lease.confirm(freshMs),
      "db.unreachable",
      clock,
    );
  }

  async #effect(action: Action, report: Report, signal: AbortSignal): Promise<Done> {
    const { simulation, plan, held, journaled, process } = this.#parts;
    const { fleet, promises, time } = simulation;
    const lastDecision = journaled().findLast((event) => event.kind === "decision");
    if (!this.#truth) throw new Error("a run looks before it acts");
    simulation.effects++;
    promises.check({
      action,
      plan: simulation.planOf(plan.way),
      truth: this.#truth,
      held,
      lastDecision,
      nowMs: time.nowMs,
    });
    if (!("node" in action)) return this.#phase(action.do, report, signal);
    const node = fleet.nodes.find(({ name }) => name === action.node);
    if (!node) throw new Error(`${action.node} is of this fleet`);
    simulation.tell(() => `  effect ${action.do} ${action.node}`);
    if (action.do === "start" || action.do === "hand-over") {
      this.#starts.set(node.index, (this.#starts.get(node.index) ?? 0) + 1);
    }
    fleet.apply(action.do, node, plan.target);
    if (action.do === "probe" && node.process) this.#proven.add(node.process.id);
    await process.sleep(20, signal);
    return { text: `${action.do} ${action.node}: done` };
  }

  /** The engine is a process of its own: it goes on when the run that started it is killed, and ends with one that lets go of it. */
  async #phase(step: FleetStep, report: Report, signal: AbortSignal): Promise<Done> {
    const { simulation, process } = this.#parts;
    const { database, time, random } = simulation;
    if (database.engineUntilMs > time.nowMs)
      throw new ServiceError("schema.locked", "another run of the schema engine is under way");
    const untilMs = time.nowMs + random.between(200, 4_000);
    database.engineUntilMs = untilMs;
    simulation.tell(() => `  effect ${step} begins`);
    if (step === "contract") database.hasContractBegun = true;
    const isPart = step === "migrate" && random.chance(0.5);
    const takeBack = time.at(untilMs, () => {
      simulation.tell(() => `  effect ${step} is over`);
      if (!isPart) simulation.finishPhase(step);
    });
    try {
      await report(`${step} is under way`);
      await process.sleep(untilMs - time.nowMs, signal);
    } catch (error) {
      takeBack();
      database.engineUntilMs = time.nowMs;
      throw error;
    }
    return { text: `${step}: done`, ...(isPart && { partly: true }) };
  }

  #soakedMs(): number {
    const { journaled, process, skewMs } = this.#parts;
    const events = journaled();
    const changed = events.findLast((event) => event.kind === "result" && event.node !== undefined) ?? events[0];
    return changed ? Math.max(0, process.clock(skewMs).nowMs() - Date.parse(changed.time)) : 0;
  }

  #truthNow(request: Truth["request"]): Truth {
    const { simulation, plan } = this.#parts;
    const { fleet, time } = simulation;
    const { nowMs } = time;
    let serving = 0;
    const nodes = fleet.nodes.map((node): NodeTruth => {
      const { process, state, index, configRelease } = node;
      const serves = node.serves(nowMs);
      if (!serves) this.#servingSinceMs.delete(index);
      else {
        serving++;
        if (!this.#servingSinceMs.has(index)) this.#servingSinceMs.set(index, nowMs);
      }
      return {
        serves,
        release: process?.release ?? null,
        configRelease,
        state,
        stoppingMs: process && process.stoppingSinceMs !== null ? nowMs - process.stoppingSinceMs : null,
        seenServingMs: nowMs - (this.#servingSinceMs.get(index) ?? nowMs),
      };
    });
    const writers = fleet.strangers(plan.way, plan.target).length;
    return { atMs: nowMs, nodes, serving, writers, request, former: fleet.former.map(({ knows }) => knows) };
  }
}

function failure(action: Action, how: BadDriver): ServiceError {
  const what = "node" in action ? `${action.do} ${action.node}` : action.do;
  const why = how === "refuses" ? "was refused" : `took longer than ${driverMsMax / 1_000} s`;
  return new ServiceError(
    action.do === "back-up" ? "rollout.backup_failed" : "rollout.driver_failed",
    `${what} ${why}`,
  );
}
