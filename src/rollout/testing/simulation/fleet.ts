// The simulated fleet as it really is: nodes, balancer, strangers and traffic, and what each step of a rollout does to them.
import { ServiceError } from "../../../core/errors.ts";
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import type { CanaryFigures, GroupFigures } from "../../canary/judge-canary.ts";
import type { NodeStep } from "../../decision.ts";
import type { Stranger } from "../../snapshot.ts";
import type { SimulatedDatabase } from "./database.ts";
import { SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Who writes to the database and is no node's process: a process that has handed over, or a node of somebody else. */
type Writer = { readonly name: string; readonly release: ReleaseId; readonly leaves: string | null; untilMs: number };

/** How long a process of the balancer goes on that a reload replaced. */
const formerMs = 10_000;

export class SimulatedFleet {
  readonly nodes: readonly SimulatedNode[];
  writers: Writer[] = [];
  balancerAwayUntilMs = 0;
  hostAwayUntilMs = 0;
  /** Processes of the balancer that were replaced: each knows the nodes that were in its rotation then, and hears of no others. */
  former: { readonly knows: ReadonlySet<number>; readonly untilMs: number }[] = [];
  /** When a rollout last changed a node. */
  changedMs = 0;
  readonly #scenario: Scenario;
  readonly #database: SimulatedDatabase;
  readonly #time: VirtualTime;
  readonly #random: Random;
  #processes = 0;
  #window: { readonly moved: string; readonly sinceMs: number } | null = null;

  constructor(scenario: Scenario, database: SimulatedDatabase, time: VirtualTime, random: Random) {
    this.#scenario = scenario;
    this.#database = database;
    this.#time = time;
    this.#random = random;
    this.nodes = Array.from({ length: scenario.nodes }, (_, index) => {
      const node = new SimulatedNode(index, scenario.from, !scenario.unable.has(index));
      // It has been running for a while.
      node.process = { ...this.#process(scenario.from, -60_000), readyAtMs: -59_000 };
      return node;
    });
  }

  settle(): void {
    const { nowMs } = this.#time;
    for (const node of this.nodes) node.settle(nowMs);
    if (this.writers.length > 0) this.writers = this.writers.filter(({ untilMs }) => untilMs > nowMs);
    if (this.former.length > 0) this.former = this.former.filter(({ untilMs }) => untilMs > nowMs);
  }

  reloadBalancer(): void {
    const { nowMs } = this.#time;
    const knows = new Set(this.nodes.filter((node) => node.serves(nowMs)).map(({ index }) => index));
    this.former.push({ knows, untilMs: nowMs + formerMs });
    for (const node of this.nodes) node.state = "ready";
  }

  /** What the registry tells of those the next phase of the database would break. */
  strangers(way: "forward" | "back", target: ReleaseId): readonly Stranger[] {
    const beyond = (release: ReleaseId) =>
      (releaseOf(release).order - releaseOf(target).order) * (way === "back" ? 1 : -1);
    return this.writers
      .filter(({ release }) => beyond(release) > 0)
      .map(({ name, release, leaves }) => ({ name, release, leaves, heartbeatAgeSeconds: 1 }));
  }

  /** One step's effect. Throws rollout.driver_failed where the world does not let it happen. */
  apply(step: NodeStep, node: SimulatedNode, target: ReleaseId): void {
    const { nowMs } = this.#time;
    node.settle(nowMs);
    const { process } = node;
    switch (step) {
      case "drain":
        node.state = "drain";
        break;
      case "disable":
        node.state = "maint";
        break;
      case "enable":
        node.state = "ready";
        break;
      case "stop":
        this.#stop(node);
        break;
      case "cut":
        if (process) node.end(nowMs, "it was ended");
        break;
      case "install":
        if (process) throw failed(`${node.name} runs`);
        node.configRelease = target;
        break;
      case "start":
        if (process) throw failed(`${node.name} runs already`);
        this.start(node);
        break;
      case "hand-over":
        this.#handOver(node, target);
        break;
      case "probe":
        if (!process || !node.isHealthy(nowMs) || process.lies) throw failed(`synthetic upload at ${node.name} failed`);
    }
    this.changedMs = nowMs;
  }

  /** As whoever starts it, a rollout or a person, would see it. */
  start(node: SimulatedNode): void {
    const { nowMs } = this.#time;
    if (!this.#database.fits(node.configRelease)) {
      node.end(nowMs, `the database is not ready for ${node.configRelease}, or past it`);
      return;
    }
    const how = node.badStarts.shift();
    const process = this.#process(node.configRelease, how === "slow" ? 20_000 : 0);
    const exits = how === "exits" ? process.sinceMs + this.#random.between(10, 500) : process.endsAtMs;
    node.process = { ...process, endsAtMs: exits, lies: how === "lies" };
  }

  #process(release: ReleaseId, slowMs: number) {
    const { nowMs } = this.#time;
    const { bad, plan } = this.#scenario;
    const isBad = release === plan.target;
    const readyAtMs = nowMs + this.#random.between(200, 2_000) + slowMs;
    const leaksAtMs =
      isBad && bad === "leaks" ? readyAtMs + this.#random.between(5_000, 30_000) : Number.POSITIVE_INFINITY;
    return {
      id: ++this.#processes,
      release,
      sinceMs: nowMs,
      readyAtMs: isBad && bad === "fails its health" ? Number.POSITIVE_INFINITY : readyAtMs,
      lies: false,
      endsAtMs: leaksAtMs,
      stoppingSinceMs: null,
      transfersUntilMs: 0,
      hungUntilMs: 0,
    };
  }

  #stop(node: SimulatedNode): void {
    const { process } = node;
    if (!process || process.stoppingSinceMs !== null) return;
    const { nowMs } = this.#time;
    const longMs = node.longTransferMs;
    node.longTransferMs = 0;
    process.stoppingSinceMs = nowMs;
    process.transfersUntilMs = nowMs + Math.max(longMs, this.#random.between(0, 1_500));
    process.endsAtMs = Math.max(process.transfersUntilMs, process.hungUntilMs) + this.#random.between(10, 200);
  }

  #handOver(node: SimulatedNode, target: ReleaseId): void {
    const { nowMs } = this.#time;
    const old = node.process;
    if (!old || !node.isHealthy(nowMs)) throw failed(`${node.name} does not answer`);
    const before = node.configRelease;
    node.configRelease = target;
    const how = node.badStarts[0];
    this.start(node);
    const fresh = node.process;
    if (!fresh || fresh === old || how === "exits" || how === "slow" || fresh.readyAtMs === Number.POSITIVE_INFINITY) {
      node.configRelease = before;
      node.process = old;
      throw failed(`${node.name}: the new process did not become ready; it goes on as it was`);
    }
    node.process = { ...fresh, readyAtMs: nowMs - 1_000 };
    const untilMs = nowMs + Math.max(node.longTransferMs, this.#random.between(0, 2_000));
    node.longTransferMs = 0;
    this.writers.push({ name: `${node.name}~${old.id}`, release: old.release, leaves: node.name, untilMs });
  }

  /** What new and old nodes answered in the same window, as a canary watch would have it. */
  canary(): CanaryFigures | null {
    const { nowMs } = this.#time;
    const { plan, bad, requestsPerSecond } = this.#scenario;
    const serving = this.nodes.filter((node) => node.serves(nowMs));
    const fresh = serving.filter((node) => node.process?.release === plan.target);
    const old = serving.filter((node) => node.process?.release !== plan.target);
    if (fresh.length === 0 || old.length === 0) {
      this.#window = null;
      return null;
    }
    const moved = serving.map((node) => node.process?.id).join();
    if (this.#window?.moved !== moved) {
      this.#window = { moved, sinceMs: nowMs };
      return null;
    }
    const windowMs = nowMs - this.#window.sinceMs;
    const group = (nodes: readonly SimulatedNode[], errorRate: number, p99Ms: number): GroupFigures => {
      const requests = Math.floor((nodes.length * requestsPerSecond * windowMs) / 1_000);
      const lying = nodes.filter((node) => node.process?.lies).length / nodes.length;
      const errors = Math.floor(requests * Math.max(errorRate, lying));
      return { nodes: nodes.map(({ name }) => name), requests, errors, p99Ms: requests > 0 ? p99Ms : null };
    };
    const [rate, p99Ms] = [bad === "fails one in fifty" ? 0.02 : 0, bad === "three times slower" ? 120 : 40];
    return { windowMs, new: group(fresh, rate, p99Ms), old: group(old, 0, 40) };
  }
}

function failed(text: string): ServiceError {
  return new ServiceError("rollout.driver_failed", text);
}
