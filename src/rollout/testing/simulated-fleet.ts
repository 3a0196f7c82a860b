// A fleet in memory with a clock of its own, for the simulation: nodes start, drain, die and recover by chance, from a seed. It holds
// the invariants of a rollout: a step that would break one fails the test at once.
import assert from "node:assert/strict";
import type { Clock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import type { Plan } from "../decide.ts";
import type { Action, NodeStep } from "../decision.ts";
import type { World } from "../runner.ts";
import type { NodeView, RotationState, SchemaDue, Snapshot } from "../snapshot.ts";

export type SimulatedNode = {
  readonly name: string;
  configRelease: ReleaseId;
  process: "running" | "stopping" | "gone";
  release: ReleaseId | null;
  /** When the process reached its state. */
  sinceMs: number;
  /** When a started process gets healthy, or a stopping one is gone. */
  readyAtMs: number;
  goneAtMs: number;
  state: RotationState;
  /** When it was last put into rotation. */
  enabledAtMs: number;
};

/** What the runner's own process knows; lost when it is killed. */
type RunnerMemory = { starts: Map<string, number>; gated: Set<string> };

/** Thrown through the runner as kill -9 would end it. */
export class Killed extends Error {}

export class SimulatedFleet {
  readonly nodes: SimulatedNode[];
  due: SchemaDue;
  backup: Snapshot["backup"] = "missing";
  nowMs = 0;
  readonly #writesUntilMs = new Map<string, number>();
  readonly #plan: Plan;
  readonly #random: () => number;
  /** Faults happen until this time, so that every run can end. */
  readonly #faultsUntilMs: number;

  /** Nothing changes in the database between the two releases. */
  readonly #isSameSchema: boolean;
  /** Every row was, once. */
  #isMigrated = false;
  /** When a node was last changed by a rollout. */
  #changedMs = 0;

  constructor(plan: Plan, from: ReleaseId, nodeCount: number, random: () => number, faultsUntilMs: number) {
    this.#plan = plan;
    this.#isSameSchema = releaseOf(from).level === releaseOf(plan.target).level;
    this.due = this.#isSameSchema ? "nothing" : "expand";
    this.#random = random;
    this.#faultsUntilMs = faultsUntilMs;
    this.nodes = Array.from({ length: nodeCount }, (_, index) => ({
      name: `n${index + 1}`,
      configRelease: from,
      process: "running",
      release: from,
      sinceMs: 0,
      readyAtMs: 0,
      goneAtMs: Number.POSITIVE_INFINITY,
      state: "ready",
      enabledAtMs: 0,
    }));
  }

  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    sleep: async (ms) => this.#advance(ms),
  };

  /** The world of one runner process. */
  world(): World {
    const memory: RunnerMemory = { starts: new Map(), gated: new Set() };
    return {
      observe: async () => {
        this.#mayBeKilled();
        if (this.#fault(0.02)) throw new ServiceError("rollout.driver_failed", "the balancer does not answer");
        return {
          nodes: this.nodes.map((node) => this.#view(node, memory)),
          due: this.due,
          backup: this.backup,
          strangers: this.#leaving().map(([name]) => {
            return { name: `${name}~1`, release: "newton", heartbeatAgeSeconds: 1, leaves: name };
          }),
          request: null,
          soakedMs: this.nowMs - this.#changedMs,
          canary: null,
        };
      },
      act: async (action) => {
        this.#mayBeKilled();
        if (this.#fault(0.03)) throw new ServiceError("rollout.driver_failed", "no answer, nothing done");
        this.#do(action, memory);
        // What was done is done, whether or not the runner lives to hear of it.
        this.#mayBeKilled();
        if (this.#fault(0.03)) throw new ServiceError("rollout.driver_failed", "done, but the answer was lost");
        this.#advance(this.#between(1, 200));
        return { text: "done" };
      },
    };
  }

  /** Processes that have handed over and still write. */
  #leaving(): readonly [name: string, untilMs: number][] {
    return [...this.#writesUntilMs].filter(([, untilMs]) => untilMs > this.nowMs);
  }

  serving(except?: SimulatedNode): number {
    return this.nodes.filter((node) => node !== except && this.#serves(node)).length;
  }

  #serves(node: SimulatedNode): boolean {
    return node.process === "running" && this.nowMs >= node.readyAtMs && node.state === "ready";
  }

  #view(node: SimulatedNode, memory: RunnerMemory): NodeView {
    const healthy = node.process === "running" && this.nowMs >= node.readyAtMs;
    return {
      name: node.name,
      configRelease: node.configRelease,
      process: node.process,
      release: node.release,
      healthy,
      processMs: this.nowMs - node.sinceMs,
      rotation: { state: node.state, up: healthy && node.state === "ready", sessions: 0 },
      transfers: null,
      heartbeatAgeSeconds: null,
      starts: memory.starts.get(node.name) ?? 0,
      lastWords: null,
      // Some nodes run a package that does not know how.
      handsOver: node.name !== "n2",
      gate: memory.gated.has(node.name) ? "passed" : "untested",
    };
  }

  #do(action: Action, memory: RunnerMemory): void {
    if ("node" in action) {
      const node = this.nodes.find((one) => one.name === action.node);
      assert(node, `${action.node} is of this fleet`);
      this.#doNode(action.do, node, memory);
      return;
    }
    switch (action.do) {
      case "back-up":
        this.backup = "verified";
        return;
      case "expand":
        assert.equal(this.backup, "verified", "expand: the backup comes first");
        if (this.due === "expand") this.due = "migrate";
        return;
      case "migrate":
        assert.notEqual(this.due, "expand", "migrate: expand comes first");
        if (this.due === "migrate") this.due = "contract";
        this.#isMigrated = true;
        return;
      case "contract":
        assert(["contract", "nothing"].includes(this.due), "contract: every row is migrated");
        assert(this.nowMs - this.#changedMs >= this.#plan.soakMs, "contract: the fleet has soaked");
        assert(
          this.nodes.every((node) => node.process === "gone" || node.release === this.#plan.target),
          "contract: no old node is alive",
        );
        assert.equal(this.#leaving().length, 0, "contract: no process that has handed over still writes");
        this.due = "nothing";
        return;
      case "revert":
        assert.fail("revert: this simulation goes forward");
    }
  }

  #doNode(step: NodeStep, node: SimulatedNode, memory: RunnerMemory): void {
    this.#changedMs = this.nowMs;
    switch (step) {
      case "drain":
        if (this.#serves(node)) assert(this.serving(node) >= this.#plan.servingMin, "drain: the floor holds");
        if (this.#serves(node) && node.release !== this.#plan.target) this.#mayTakeOut(node);
        node.state = "drain";
        return;
      case "disable":
        assert(!this.#serves(node), "disable: it serves nobody");
        node.state = "maint";
        return;
      case "stop":
      case "cut":
        assert.notEqual(node.state, "ready", `${step}: only out of rotation`);
        assert.equal(node.process, step === "stop" ? "running" : "stopping", `${step}: once`);
        this.#become(node, "stopping");
        node.goneAtMs = step === "cut" ? this.nowMs : this.nowMs + this.#between(10, 30_000);
        return;
      case "install":
        assert.equal(node.process, "gone", "install: the process is gone");
        node.configRelease = this.#plan.target;
        return;
      case "start":
        this.#start(node, memory);
        return;
      case "hand-over":
        this.#handOver(node, memory);
        return;
      case "probe":
        assert.equal(node.process, "running", "probe: there is a process");
        if (this.#fault(0.1)) throw new ServiceError("rollout.driver_failed", "the synthetic upload failed");
        memory.gated.add(node.name);
        return;
      case "enable":
        assert(memory.gated.has(node.name), "enable: it has been probed");
        assert.equal(node.release, this.#plan.target, "enable: it serves the target");
        node.state = "ready";
        node.enabledAtMs = this.nowMs;
    }
  }

  /** What a batch promises: no more nodes out than it has places, and none before those that were moved have proven themselves. */
  #mayTakeOut(node: SimulatedNode): void {
    const { batches, target, minHealthyMs } = this.#plan;
    const moved = this.nodes.filter((one) => this.#serves(one) && one.release === target);
    const out = this.nodes.filter((one) => one !== node && !this.#serves(one)).length;
    const ready = this.#isSameSchema || this.due === "contract" || this.due === "nothing";
    let end = 0;
    for (let index = 0; end <= moved.length; index++) end += batches[index] ?? batches.at(-1) ?? 1;
    const places = ready ? end - moved.length : 1;
    assert(out + 1 <= places, `drain: ${out} are out already, of ${places}`);
    for (const one of moved) {
      const servedMs = this.nowMs - Math.max(one.enabledAtMs, one.readyAtMs);
      assert(servedMs >= minHealthyMs, `drain: ${one.name} has served for ${servedMs} ms only`);
    }
  }

  #handOver(node: SimulatedNode, memory: RunnerMemory): void {
    // It may have died since it was looked at; the driver then says so.
    if (node.process !== "running") throw new ServiceError("rollout.driver_failed", "it does not run");
    assert(this.#isSameSchema || this.#isMigrated, "hand-over: the schema is ready");
    assert(node.release !== this.#plan.target, "hand-over: it is of an older release");
    memory.starts.set(node.name, (memory.starts.get(node.name) ?? 0) + 1);
    memory.gated.delete(node.name);
    if (this.#fault(0.1)) throw new ServiceError("rollout.driver_failed", "it goes on as it was");
    node.configRelease = this.#plan.target;
    node.release = this.#plan.target;
    this.#become(node, "running");
    node.readyAtMs = this.nowMs;
    this.#writesUntilMs.set(node.name, this.nowMs + this.#between(0, 30_000));
  }

  #start(node: SimulatedNode, memory: RunnerMemory): void {
    assert.equal(node.process, "gone", "start: nothing runs there");
    const isNew = node.configRelease === this.#plan.target;
    // What an old node wrote since, and waits for migration again, a new node can read.
    assert(!isNew || this.#isSameSchema || this.#isMigrated, "start: the schema is ready");
    assert(isNew || this.#isSameSchema || this.due !== "nothing", "start: the schema is not contracted past it");
    memory.starts.set(node.name, (memory.starts.get(node.name) ?? 0) + 1);
    memory.gated.delete(node.name);
    this.#become(node, "running");
    node.release = node.configRelease;
    node.readyAtMs = this.nowMs + this.#between(50, this.#fault(0.05) ? 20_000 : 3_000);
    node.goneAtMs = this.#fault(0.1) ? this.nowMs + this.#between(10, 500) : Number.POSITIVE_INFINITY;
  }

  #become(node: SimulatedNode, process: SimulatedNode["process"]): void {
    node.process = process;
    node.sinceMs = this.nowMs;
    if (process === "gone") node.release = null;
  }

  #advance(ms: number): void {
    this.nowMs += ms;
    for (const node of this.nodes) {
      if (node.process !== "gone" && this.nowMs >= node.goneAtMs) this.#become(node, "gone");
      if (node.process === "running" && this.#fault(0.002)) this.#become(node, "gone");
    }
    // An old node goes on writing what was migrated already.
    const oldWrites = this.nodes.some((node) => node.process !== "gone" && node.release !== this.#plan.target);
    if (this.due === "contract" && oldWrites && this.#fault(0.01)) this.due = "migrate";
    // A balancer that is reloaded forgets what it was told.
    if (this.#fault(0.001)) {
      for (const node of this.nodes.filter((one) => one.state !== "ready")) {
        node.state = "ready";
        node.enabledAtMs = this.nowMs;
      }
    }
    this.#mayBeKilled();
  }

  #fault(probability: number): boolean {
    return this.nowMs < this.#faultsUntilMs && this.#random() < probability;
  }

  #mayBeKilled(): void {
    if (this.#fault(0.005)) throw new Killed("kill -9");
  }

  #between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low));
  }
}
