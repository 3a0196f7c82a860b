// Makes the faults of a scenario happen, each at its time.
import { ServiceError } from "../../../core/errors.ts";
import type { BadDriver, Fault } from "./fault.ts";
import { tellFault } from "./fault.ts";
import { runOnce } from "./session.ts";
import type { Simulation } from "./simulation.ts";

type Countdowns = { readonly kill: Set<number>; readonly drivers: Map<number, BadDriver> };

export function injectFaults(simulation: Simulation, countdowns: Countdowns): void {
  for (const fault of simulation.scenario.faults) {
    if ("atMs" in fault) {
      simulation.time.at(fault.atMs, () => {
        simulation.tell(() => `  fault: ${tellFault(fault)}`);
        simulation.happened.push(fault);
        happen(simulation, fault);
      });
    } else {
      simulation.happened.push(fault);
      prepare(simulation, fault, countdowns);
    }
  }
}

/** Those that wait for something of the run's. */
function prepare(simulation: Simulation, fault: Exclude<Fault, { atMs: number }>, countdowns: Countdowns): void {
  const { fleet, database } = simulation;
  switch (fault.what) {
    case "starts badly":
      for (let time = 0; time < fault.times; time++) fleet.nodes[fault.node]?.badStarts.push(fault.how);
      return;
    case "long transfer": {
      const node = fleet.nodes[fault.node];
      if (node) node.longTransferMs = fault.forMs;
      return;
    }
    case "driver":
      countdowns.drivers.set(fault.act, fault.how);
      return;
    case "answer lost":
      database.lostAnswers.add(fault.write);
      return;
    case "runner killed":
      countdowns.kill.add(fault.wait);
  }
}

function happen(simulation: Simulation, fault: Extract<Fault, { atMs: number }>): void {
  const { fleet, database, time } = simulation;
  const { nowMs } = time;
  const node = "node" in fault ? fleet.nodes[fault.node] : undefined;
  node?.settle(nowMs);
  switch (fault.what) {
    case "dies":
      if (node?.process) node.end(nowMs, "it was killed");
      return;
    case "hangs":
      if (!node?.process) return;
      node.process.hungUntilMs = nowMs + fault.forMs;
      if (node.process.stoppingSinceMs !== null) node.process.endsAtMs += fault.forMs;
      return;
    case "falls silent":
      if (node) [node.silentFromMs, node.silentUntilMs] = [nowMs, nowMs + fault.forMs];
      return;
    case "comes back as":
      if (!node) return;
      node.end(nowMs, "somebody stopped it");
      node.configRelease = fault.release;
      fleet.start(node);
      return;
    case "balancer away":
      fleet.balancerAwayUntilMs = nowMs + fault.forMs;
      return;
    case "host away":
      fleet.hostAwayUntilMs = nowMs + fault.forMs;
      return;
    case "balancer forgets":
      fleet.reloadBalancer();
      return;
    case "balancer doubts":
      if (node) node.doubtedUntilMs = nowMs + fault.forMs;
      return;
    case "database away":
      database.awayUntilMs = nowMs + fault.forMs;
      return;
    case "database slow":
      database.slowUntilMs = nowMs + fault.forMs;
      return;
    case "old rows":
      if (database.isExpanded && !database.hasContractBegun) database.isMigrated = false;
      return;
    case "stranger":
      // One that is behind on the way forward; it writes, and its heartbeats are heard.
      if (!database.hasContractBegun) {
        const { from: release } = simulation.scenario;
        fleet.writers.push({ name: "stranger", release, leaves: null, untilMs: nowMs + fault.forMs });
      }
      return;
    default:
      happenToRunner(simulation, fault);
  }
}

type RunnerFault = Extract<
  Fault,
  { what: "runner frozen" | "runner stopped" | "second runner" | "pause asked" | "abort asked" | "rollback asked" }
>;

function happenToRunner(simulation: Simulation, fault: RunnerFault): void {
  const { database, time, runs, hosts } = simulation;
  const [first] = runs;
  switch (fault.what) {
    case "runner frozen":
      freeze(simulation, fault.forMs);
      // Whoever finds it stuck runs it elsewhere.
      time.at(time.nowMs + 5_000, () => simulation.beside(runOnce(simulation, { host: hosts[1], way: "forward" })));
      return;
    case "runner stopped":
      first?.stop.abort(new ServiceError("rollout.driver_failed", "stopped by SIGTERM"));
      return;
    case "second runner":
      if (first) simulation.beside(runOnce(simulation, { host: hosts[1], way: "forward" }));
      return;
    case "pause asked":
      database.request ??= { do: "pause", told: "somebody" };
      time.at(time.nowMs + fault.forMs, () => {
        if (database.request?.do === "pause") database.request = null;
      });
      return;
    case "abort asked":
      if (first) database.request = { do: "abort", told: "somebody" };
      return;
    case "rollback asked":
      simulation.wantsBack = true;
      first?.stop.abort(new ServiceError("rollout.driver_failed", "stopped by SIGTERM"));
  }
}

/** Between two steps: what a frozen host has sent already nobody can call back. */
function freeze(simulation: Simulation, forMs: number): void {
  const { time, runs } = simulation;
  const [run] = runs;
  if (!run) return;
  if (run.process.isActing) time.at(time.nowMs + 100, () => freeze(simulation, forMs));
  else run.process.freeze(forMs);
}
