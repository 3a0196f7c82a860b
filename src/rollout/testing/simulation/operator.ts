// The people of a simulated rollout: they run it again when it was killed or paused, put right what they are told of, and take it back
// when that is better. A rollout has to come to its end with no more help than this.
import { releaseOf } from "../../../releases/catalogue.ts";
import { causeOf } from "./causes.ts";
import { Broken, keep } from "./promises.ts";
import { faultsUntilMs } from "./scenario.ts";
import { type SessionEnd, watchRun } from "./session.ts";
import type { Simulation } from "./simulation.ts";
import { SimulatedProcess } from "./virtual-time.ts";

/** How a rollout ended. `paused`: what keeps it from going on is a matter of its plan, and it says so. */
export type RolloutEnd = "finished" | "rolled back" | "aborted" | "paused";

const sessionsMax = 60;
/** Of the same reason, when nothing goes wrong any more and everything was put right. */
const samePausesMax = 3;

export async function operate(simulation: Simulation): Promise<RolloutEnd> {
  const { time, hosts, random, scenario, database } = simulation;
  // Of flesh and blood: nobody kills it.
  const person = new SimulatedProcess(time, () => undefined);
  let way: "forward" | "back" = "forward";
  for (let session = 0; session < sessionsMax; session++) {
    if (simulation.wantsBack && !database.hasContractBegun) way = "back";
    const end = await watchRun(simulation, { host: random.chance(0.3) ? hosts[1] : hosts[0], way });
    if (end === "killed") {
      await person.sleep(random.between(1_000, 40_000));
      continue;
    }
    switch (end.end) {
      case "finished":
        checkFinished(simulation, end, way);
        return way === "back" ? "rolled back" : "finished";
      case "aborted":
        return "aborted";
      case "reached":
        // What comes after it is left for another day, or for good.
        if (random.chance(0.3)) simulation.wantsBack = true;
        else simulation.goOn();
        break;
      case "retreat":
        keep(scenario.plan.canary?.onFailure === "rollback", "it goes back though nobody wants it to");
        simulation.wantsBack = true;
        break;
      case "paused": {
        const cause = causeOf(simulation, end.why);
        if (cause === null) throw new Broken(`it paused without a cause: ${end.why}`);
        simulation.pauses.push(cause);
        if (isForGood(simulation, cause)) return "paused";
        // Once may be chance; a release that does it again is taken back.
        const isBad = scenario.bad !== null && simulation.pauses.length > 1;
        if (cause === "bad release" || isBad || random.chance(0.08)) simulation.wantsBack = true;
        await person.sleep(random.between(2_000, 20_000));
        putRight(simulation);
        break;
      }
      case "refused":
        if (end.why.includes("going back")) simulation.wantsBack = true;
        if (database.hasContractBegun) way = "forward";
    }
    await person.sleep(random.between(1_000, 10_000));
  }
  throw new Broken(`it never ends: the last pauses were ${simulation.pauses.slice(-3).join("; ")}`);
}

/** Nothing goes wrong any more, and it pauses for the same reason again and again: the plan does not allow what is asked of it. */
function isForGood({ time, pauses, scenario }: Simulation, cause: string): boolean {
  if (time.nowMs < faultsUntilMs) return false;
  const isOfPlan =
    (cause === "capacity floor" && scenario.plan.servingMin === scenario.nodes) ||
    (cause === "too few requests" && scenario.requestsPerSecond === 0) ||
    cause === "bad release";
  return isOfPlan && pauses.slice(-samePausesMax).every((one) => one === cause) && pauses.length >= samePausesMax;
}

function checkFinished({ scenario }: Simulation, { truth, dueAtFinish }: SessionEnd, way: "forward" | "back"): void {
  const release = way === "back" ? scenario.from : scenario.plan.target;
  const other = truth?.nodes.findIndex((node) => !node.serves || node.release !== release) ?? 0;
  keep(other === -1, `finished, though n${other + 1} does not serve ${release}`);
  // Not as it is now: one that is frozen at its end tells of it when somebody else may have begun anew.
  keep((dueAtFinish ?? "nothing") === "nothing", `finished, though the database is due for ${dueAtFinish}`);
}

/** What people do about what they read: nodes that hang, or run as what they should not, are started anew; strangers are stopped. */
function putRight({ fleet, time, scenario, database }: Simulation): void {
  const { nowMs } = time;
  const { from, plan } = scenario;
  fleet.settle();
  const isStrange = (release: (typeof plan)["target"]) =>
    releaseOf(release).order > releaseOf(plan.target).order || releaseOf(release).order < releaseOf(from).order;
  for (const node of fleet.nodes) {
    if (node.process && (nowMs < node.process.hungUntilMs || node.process.lies)) node.end(nowMs, "it was of no use");
    if (!isStrange(node.process?.release ?? node.configRelease) && !isStrange(node.configRelease)) continue;
    node.end(nowMs, "it was of the wrong release, and was stopped");
    node.configRelease = database.hasContractBegun ? plan.target : from;
    fleet.start(node);
  }
  fleet.writers = fleet.writers.filter(({ leaves }) => leaves !== null);
}
