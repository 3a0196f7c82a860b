// One simulated rollout: its fleet, database, hosts and time, and what is counted and told of it.
import { isServiceError } from "../../../core/errors.ts";
import type { Plan } from "../../decide.ts";
import type { FleetStep } from "../../decision.ts";
import { findBreak } from "../../journal-chain.ts";
import type { JournalWriter } from "../../journal-event.ts";
import type { RolloutLease } from "../../lease.ts";
import type { World } from "../../runner.ts";
import { SimulatedDatabase } from "./database.ts";
import type { BadDriver, Fault } from "./fault.ts";
import { SimulatedFleet } from "./fleet.ts";
import { SimulatedHost } from "./host.ts";
import { injectFaults } from "./inject.ts";
import { Broken, Promises } from "./promises.ts";
import { Random } from "./random.ts";
import { planBack, type Scenario } from "./scenario.ts";
import { SimulatedProcess, VirtualTime } from "./virtual-time.ts";

/** What the runner is given in place of the real thing, to see that a bug there is found. */
export type Seams = {
  readonly plan?: (plan: Plan) => Plan;
  readonly world?: (world: World) => World;
  readonly lease?: (lease: RolloutLease) => Pick<RolloutLease, "confirm" | "mayAct">;
  readonly journal?: (journal: JournalWriter) => JournalWriter;
};

/** A run that is under way. */
export type ActiveRun = { readonly process: SimulatedProcess; readonly stop: AbortController };

const waitsMax = 200_000;

export class Simulation {
  readonly scenario: Scenario;
  readonly seams: Seams;
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly database: SimulatedDatabase;
  readonly fleet: SimulatedFleet;
  readonly promises: Promises;
  readonly hosts: readonly [SimulatedHost, SimulatedHost];
  /** Runs under way, the operator's own one first. */
  readonly runs: ActiveRun[] = [];
  /** Faults that have happened, or may happen at any time. */
  readonly happened: Fault[] = [];
  /** What an operator wants to be done instead of what is under way. */
  wantsBack = false;
  effects = 0;
  sessions = 0;
  pauses: string[] = [];
  #goesOn = false;
  #acts = 0;
  #waits = 0;
  readonly #killAt = new Set<number>();
  readonly #driverFaults = new Map<number, BadDriver>();
  readonly #tell: ((text: string) => void) | undefined;
  #broken: unknown;

  constructor(scenario: Scenario, seams: Seams = {}, tell?: (text: string) => void) {
    this.scenario = scenario;
    this.seams = seams;
    this.#tell = tell;
    this.random = new Random(scenario.seed ^ 0x5eed);
    this.database = new SimulatedDatabase(scenario.from, scenario.plan.target, this.time);
    this.fleet = new SimulatedFleet(scenario, this.database, this.time, this.random.fork());
    this.promises = new Promises(scenario, this.fleet, this.database);
    this.hosts = [new SimulatedHost("host-a", scenario.skewsMs[0]), new SimulatedHost("host-b", scenario.skewsMs[1])];
    injectFaults(this, { kill: this.#killAt, drivers: this.#driverFaults });
  }

  /** A process that runs a rollout. */
  spawn(): SimulatedProcess {
    return new SimulatedProcess(this.time, (process) => {
      if (!process.isAlive) return;
      const wait = this.#waits++;
      if (wait > waitsMax) throw this.fail(new Broken("it goes on without end"));
      if (!this.#killAt.delete(wait)) return;
      this.tell(() => "  kill -9");
      process.kill();
    });
  }

  planOf(way: Plan["way"]): Plan {
    if (way === "back") return planBack(this.scenario);
    return this.#goesOn ? { ...this.scenario.plan, until: null } : this.scenario.plan;
  }

  /** From now on the rollout is to go to its end. */
  goOn(): void {
    this.#goesOn = true;
  }

  nextDriverFault(): BadDriver | undefined {
    return this.#driverFaults.get(this.#acts++);
  }

  finishPhase(step: FleetStep): void {
    const { database } = this;
    if (step === "back-up") database.hasBackup = true;
    if (step === "expand") database.isExpanded = true;
    if (step === "migrate") database.isMigrated = database.wasMigrated = true;
    if (step === "contract") database.isContracted = true;
    if (step === "revert") database.isExpanded = database.isMigrated = database.wasMigrated = false;
  }

  /** `text` is made only where somebody reads along. */
  tell(text: () => string): void {
    this.#tell?.(`${(this.time.nowMs / 1_000).toFixed(3).padStart(9)} ${text()}`);
  }

  /** The first failure ends the simulation. */
  fail(error: unknown): unknown {
    this.#broken ??= error;
    return error;
  }

  /** What goes on beside, and whose failure nobody waits for. */
  beside(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!isServiceError(error)) this.fail(error);
    });
  }

  /** Runs `operator` to its end. Throws what it throws, and Broken where a promise was broken by anybody. */
  async run<T>(operator: (simulation: Simulation) => Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined;
    operator(this).then(
      (value) => {
        result = { value };
      },
      (error: unknown) => this.fail(error),
    );
    const ended = await this.time.run(() => result !== undefined || this.#broken !== undefined);
    if (this.#broken !== undefined) throw this.#broken;
    if (!ended || !result) throw new Broken("everybody waits for nothing");
    this.#checkJournals();
    return result.value;
  }

  #checkJournals(): void {
    for (const [rolloutId, entries] of this.database.rollouts) {
      const broken = findBreak(
        rolloutId,
        entries.map(({ entry }) => entry),
      );
      if (broken) throw new Broken(`the journal of ${rolloutId} is broken at ${broken.seq}: ${broken.why}`);
    }
  }
}
