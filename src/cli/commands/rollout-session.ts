// One run of a rollout as a process: signals, the locks, the journal and the screen, and how its end is told. Which way it goes and
// whether it may begin is its caller's.
import { systemClock } from "../../core/clock.ts";
import {
  createRolloutRequestRepository,
  type RolloutRequestRepository,
} from "../../db/repositories/rollout-request-repository.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import type { Plan } from "../../rollout/decide.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { acquireFleetLock } from "../../rollout/fleet-lock.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { Journal } from "../../rollout/journal.ts";
import { journalFolder } from "../../rollout/journal-disk.ts";
import { type RunFacts, runFacts } from "../../rollout/run-facts.ts";
import { type RunEnd, runRollout, type World } from "../../rollout/runner.ts";
import type { Sampler } from "../../rollout/samples/sampler.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { askYesNo } from "../ask.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { checkNodeConfigs, databaseOf, type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { openSampler } from "./rollout-sampler.ts";
import { createScreen, type Screen } from "./rollout-screen.ts";
import { openTellers, type Tellers } from "./rollout-tellers.ts";

const pollMs = 200;
const blindMsMax = 60_000;
const progressMs = 5_000;

export type Session = {
  /** As it is to be brought about: on the way back `target` is the older release. */
  readonly fleet: Fleet;
  /** The release that names the rollout, whichever way it goes. */
  readonly rolloutTarget: ReleaseId;
  readonly plan: Plan;
  readonly json: boolean;
  readonly acceptLosses?: boolean;
  /** The command line that goes on with it. */
  readonly again: string;
  /** Looks, refuses by throwing what cannot go well, and asks; false: its operator does not want it. Nothing was touched until then. */
  readonly mayBegin: (parts: RolloutParts, seen: Omit<Snapshot, "memory">, signal: AbortSignal) => Promise<boolean>;
};

export async function runSession(session: Session): Promise<ExitCode> {
  const { fleet, plan } = session;
  checkNodeConfigs(fleet);
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => stop.abort(new Error(`stopped by ${name}`));
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal).on("SIGHUP", onSignal);
  // Whoever read along may go away; the journal has it all.
  process.stdout.on("error", () => undefined);
  const lock = acquireFleetLock(fleet.journal, fleet.name);
  const screen = createScreen({ json: session.json, way: plan.way });
  const database = databaseOf(fleet, plan.way);
  let tellers: Tellers | undefined;
  let sampler: Sampler | undefined;
  try {
    await database.hold(stop.signal);
    // One from before we had the fleet was for a rollout that is over.
    const requests = createRolloutRequestRepository(await database.open(stop.signal));
    await requests.takeBack("abort");
    const journal = await Journal.open({
      disk: journalFolder(fleet.journal),
      fleet: fleet.name,
      target: session.rolloutTarget,
      clock: systemClock,
      onEvent: (event) => {
        screen.event(event);
        tellers?.event(event);
      },
      store: database.journalStore(),
    });
    try {
      const parts = wireRollout(fleet, {
        rolloutId: journal.rolloutId,
        onLook: (seen) => {
          screen.look(seen);
          tellers?.look(seen.nodes);
          sampler?.look(seen.nodes);
        },
        database,
        journaled: () => journal.events,
        engineRelease: session.rolloutTarget,
        acceptLosses: session.acceptLosses === true,
        goal: plan.takeover ?? null,
      });
      const world = new FleetWorld(parts);
      const seen = await world.look(stop.signal);
      if (!(await session.mayBegin(parts, seen, stop.signal))) {
        process.stderr.write("glance-rollout: nothing was changed\n");
        return exitCodes.failed;
      }
      tellers = openTellers(fleet, journal);
      await journalBegin(journal, seen, runFacts(fleet, plan.way));
      sampler = openSampler(parts);
      const { signal } = stop;
      const end = await runRollout({
        plan,
        world: withNotes(world, journal, requests),
        journal,
        clock: systemClock,
        signal,
        pollMs,
        blindMsMax,
        progressMs,
      });
      // The journal says so by now; whoever asked waits for this.
      if (end.end === "aborted") await requests.takeBack("abort");
      return tellEnd(end, screen, session);
    } finally {
      await sampler?.stop();
      await tellers?.close();
      await journal.close();
    }
  } finally {
    screen.end();
    await database.close();
    lock.release();
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal).off("SIGHUP", onSignal);
  }
}

/**
 * What the fleet was like when it was first touched: where a rollback goes back to. And of each run which way it goes, with which settings,
 * so that a report needs neither the fleet file nor this host.
 */
async function journalBegin(journal: Journal, seen: Omit<Snapshot, "memory">, run: RunFacts): Promise<void> {
  const last = journal.events.at(-1);
  if (last) {
    const text = `a run ${run.way === "back" ? "back" : "on"} to ${run.target} begins on ${run.host}`;
    await journal.append({ kind: "observation", phase: last.phase, text, data: { run } });
    return;
  }
  const releases = seen.nodes.map((node) => [node.name, node.release ?? node.configRelease] as const);
  const text = `it begins with ${releases.map(([name, release]) => `${name} as ${release}`).join(", ")}`;
  const data = { began: Object.fromEntries(releases), run };
  await journal.append({ kind: "observation", phase: "backup", text, data });
}

/** What was left for the journal by those who may not write it, at every look. */
function withNotes(world: World, journal: Journal, requests: RolloutRequestRepository): World {
  return {
    act: (action, report, signal) => world.act(action, report, signal),
    async observe(signal) {
      const seen = await world.observe(signal);
      for (const { name, text } of await requests.notes()) {
        const phase = journal.events.at(-1)?.phase ?? "backup";
        await journal.append({ kind: "observation", phase, text, data: { note: true } });
        await requests.removeNote(name);
      }
      return seen;
    },
  };
}

/** For people at a terminal; `text` is what they are to agree to. */
export async function askToGoAhead(text: readonly string[], signal: AbortSignal): Promise<boolean> {
  process.stderr.write(`${text.join("\n")}\n`);
  return askYesNo("Go ahead?", signal);
}

function tellEnd(end: RunEnd, screen: Screen, { json, again }: Session): ExitCode {
  screen.end();
  const say = (text: string) => void process.stderr.write(`glance-rollout: ${text}\n`);
  switch (end.end) {
    case "finished":
      return exitCodes.ok;
    case "reached":
      if (!json) say(`${end.why}; go on with: ${again}`);
      return exitCodes.ok;
    case "retreat":
      say(`${end.why}; the fleet goes back`);
      return exitCodes.rolledBack;
    case "aborted":
      say(end.why);
      return exitCodes.aborted;
    case "paused":
      say(`paused: ${end.why}; put it right and run it again: ${again}`);
      return exitCodes.paused;
    case "stopped":
      say(`stopped; go on with: ${again}`);
      return exitCodes.failed;
    case "displaced":
      say(end.why);
      return exitCodes.locked;
    case "failed":
      say(end.why);
      return exitCodes.failed;
  }
}
