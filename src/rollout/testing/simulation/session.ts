// One run of a simulated rollout, as glance-rollout run and rollback would do it: the lease, the journal, and then the real runner.
import { isServiceError, ServiceError } from "../../../core/errors.ts";
import { Journal } from "../../journal.ts";
import type { JournalEvent } from "../../journal-event.ts";
import { RolloutLease } from "../../lease.ts";
import { type RunEnd, runRollout } from "../../runner.ts";
import type { SchemaDue } from "../../snapshot.ts";
import type { SimulatedHost } from "./host.ts";
import type { Truth } from "./promises.ts";
import type { ActiveRun, Simulation } from "./simulation.ts";
import { SimulatedWorld } from "./world.ts";

export type Session = { readonly host: SimulatedHost; readonly way: "forward" | "back" };
export type SessionEnd = (RunEnd | { readonly end: "refused"; readonly why: string }) & {
  /** The fleet as it was when the run looked last. */
  readonly truth: Truth | null;
  /** What the database was due for when it said that it had finished; null where somebody else held the lease by then, and where it did not say so. */
  readonly dueAtFinish: SchemaDue | null;
};

const fleetName = "simulated";

/** Rejects with Broken where a promise is broken. Never settles where its process is killed: see `watchRun`. */
export async function runOnce(simulation: Simulation, session: Session): Promise<SessionEnd> {
  const run: ActiveRun = { process: simulation.spawn(), stop: new AbortController() };
  return runIn(simulation, session, run);
}

/** The operator's own run, which ends too when its process is killed. */
export async function watchRun(simulation: Simulation, session: Session): Promise<SessionEnd | "killed"> {
  const run: ActiveRun = { process: simulation.spawn(), stop: new AbortController() };
  simulation.runs.unshift(run);
  try {
    return await Promise.race([runIn(simulation, session, run), run.process.gone]);
  } finally {
    simulation.runs.splice(simulation.runs.indexOf(run), 1);
  }
}

async function runIn(simulation: Simulation, session: Session, run: ActiveRun): Promise<SessionEnd> {
  const { database } = simulation;
  const { process } = run;
  const number = ++simulation.sessions;
  const { signal } = run.stop;
  const clock = process.clock(session.host.skewMs);
  const told = `run ${number} on ${session.host.name}`;
  try {
    const claim = { holder: told, process: "? ? ?", told };
    const lease = await RolloutLease.take(database.leases(process), { clock, signal, claim, every: process.every });
    try {
      await database.write(process, () => {
        if (database.request?.do === "abort") database.request = null;
      });
      return await roll(simulation, session, run, lease);
    } finally {
      await lease.release().catch((error: unknown) => {
        if (!isServiceError(error)) throw error;
      });
    }
  } catch (error) {
    if (!isServiceError(error)) throw simulation.fail(error);
    simulation.tell(() => `  ${told} is refused: ${error.message}`);
    return { end: "refused", why: error.message, truth: null, dueAtFinish: null };
  }
}

async function roll(
  simulation: Simulation,
  session: Session,
  run: ActiveRun,
  lease: RolloutLease,
): Promise<SessionEnd> {
  const { seams, scenario, database } = simulation;
  const { process } = run;
  const { signal } = run.stop;
  const { host, way } = session;
  const clock = process.clock(host.skewMs);
  let dueAtFinish: SchemaDue | null = null;
  const journal = await Journal.open({
    disk: host.disk(process),
    fleet: fleetName,
    target: scenario.plan.target,
    clock,
    onEvent: (event) => {
      simulation.tell(() => tellEvent(event, lease.held.fence));
      if (event.data?.do === "finish" && database.lease?.fence === lease.held.fence) dueAtFinish = database.due(way);
    },
    store: database.journals(process, lease.held),
  });
  try {
    const plan = seams.plan?.(simulation.planOf(way)) ?? simulation.planOf(way);
    const world = new SimulatedWorld({
      simulation,
      process,
      lease: seams.lease?.(lease) ?? lease,
      held: lease.held,
      plan,
      skewMs: host.skewMs,
      journaled: () => journal.events,
    });
    const seen = await world.look(signal);
    if (way === "forward" && journal.events.some((event) => event.data?.do === "retreat"))
      throw new ServiceError("rollout.paused", "the fleet is going back");
    if (seen.due === "closed") throw new ServiceError("schema.out_of_order", "a contract has begun: no way back");
    if (journal.events.length === 0) await journal.append({ kind: "observation", phase: "backup", text: "it begins" });
    const end = await runRollout({
      plan,
      world: seams.world?.(world) ?? world,
      journal: seams.journal?.(journal) ?? journal,
      clock,
      signal,
      pollMs: scenario.pollMs,
      blindMsMax: 20_000,
      progressMs: 5_000,
    });
    if (end.end === "aborted") {
      await database.write(process, () => {
        if (database.request?.do === "abort") database.request = null;
      });
    }
    return { ...end, truth: world.truth, dueAtFinish };
  } finally {
    await journal.close();
  }
}

function tellEvent({ kind, text, seq }: JournalEvent, fence: number): string {
  return `#${fence} ${seq} ${kind} ${text}`;
}
