// Whether a rollout that paused says why: each reason it may give belongs to something that really happened to the simulated fleet.
import type { Fault } from "./fault.ts";
import type { Simulation } from "./simulation.ts";

type Cause = {
  readonly says: RegExp;
  readonly cause: string;
  /** `named`: what the first brackets of `says` took. */
  readonly isTrue: (simulation: Simulation, named: string) => boolean;
};

const happened = (simulation: Simulation, ...whats: readonly Fault["what"][]) =>
  simulation.happened.some(({ what }) => whats.includes(what));
const happenedTo = (simulation: Simulation, node: string, ...whats: readonly Fault["what"][]) =>
  simulation.happened.some((fault) => whats.includes(fault.what) && "node" in fault && `n${fault.node + 1}` === node);
const isBad = ({ scenario }: Simulation) => scenario.bad !== null;

const causes: readonly Cause[] = [
  {
    says: /^the new nodes (?:fail more often|are slower)/,
    cause: "bad release",
    isTrue: (simulation) => isBad(simulation) || happened(simulation, "starts badly"),
  },
  {
    says: /^(?:too few requests|no figures|the new nodes are compared)/,
    cause: "too few requests",
    isTrue: (simulation) =>
      simulation.scenario.requestsPerSecond === 0 || simulation.happened.length > 0 || isBad(simulation),
  },
  {
    says: /^(\S+) did not stay up after/,
    cause: "starts badly",
    isTrue: (simulation, node) =>
      isBad(simulation) || happenedTo(simulation, node, "starts badly", "dies", "comes back as"),
  },
  {
    says: /^(\S+) (?:runs, but its health check did not pass|is in rotation and does not answer)/,
    cause: "unhealthy",
    isTrue: (simulation, node) => isBad(simulation) || happenedTo(simulation, node, "starts badly", "hangs"),
  },
  {
    says: /^(?:draining|handing over) \S+ would leave \d+ serving/,
    cause: "capacity floor",
    isTrue: (simulation) => simulation.scenario.plan.servingMin > 0,
  },
  {
    says: /^(\S+) (?:holds|is stopping)/,
    cause: "long transfer",
    isTrue: (simulation, node) => happenedTo(simulation, node, "long transfer", "hangs"),
  },
  {
    says: /^the balancer does not yet see (\S+) up/,
    cause: "balancer doubts",
    isTrue: (simulation, node) => happenedTo(simulation, node, "balancer doubts"),
  },
  {
    says: /^(\S+) is in rotation, but its health check fails/,
    cause: "unhealthy",
    isTrue: (simulation, node) =>
      isBad(simulation) || happenedTo(simulation, node, "hangs", "starts badly", "comes back as"),
  },
  {
    says: /, not of this fleet, serves/,
    cause: "stranger",
    isTrue: (simulation) => happened(simulation, "stranger"),
  },
  {
    says: /that has handed over/,
    cause: "long transfer",
    isTrue: (simulation) => happened(simulation, "long transfer"),
  },
  {
    says: /^(\S+) runs as \S+, which is (?:newer|older) than the target/,
    cause: "wrong release",
    isTrue: (simulation, node) => happenedTo(simulation, node, "comes back as"),
  },
  {
    says: /^(?:the balancer cannot be asked|n1: its host does not answer)/,
    cause: "network",
    isTrue: (simulation) => happened(simulation, "balancer away", "host away"),
  },
  {
    says: /database|the lease|the journal/,
    cause: "database",
    isTrue: (simulation) => happened(simulation, "database away", "database slow", "answer lost"),
  },
  {
    says: /failed \d+ times: .*(?:was refused|took longer than)/,
    cause: "driver",
    isTrue: (simulation) => happened(simulation, "driver"),
  },
  {
    says: /^probe (\S+) failed/,
    cause: "lies",
    isTrue: (simulation, node) => isBad(simulation) || happenedTo(simulation, node, "starts badly", "hangs", "dies"),
  },
  {
    says: /^hand-over (\S+) failed/,
    cause: "starts badly",
    isTrue: (simulation, node) => isBad(simulation) || happenedTo(simulation, node, "starts badly", "hangs", "dies"),
  },
];

/** The cause's name; null where the reason is none, or is not true. */
export function causeOf(simulation: Simulation, why: string): string | null {
  for (const { says, cause, isTrue } of causes) {
    const match = says.exec(why);
    if (match && isTrue(simulation, match[1] ?? "")) return cause;
  }
  return null;
}
