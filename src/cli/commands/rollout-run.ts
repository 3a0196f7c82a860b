// `glance-rollout run`: does the rollout, or goes on with one that was paused, stopped or killed.
import { type Command, Option } from "commander";
import { systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import { createRolloutPlanRepository } from "../../db/repositories/rollout-plan-repository.ts";
import { createRolloutRequestRepository } from "../../db/repositories/rollout-request-repository.ts";
import { type Plan, type Until, untils } from "../../rollout/decide.ts";
import { loadFleet } from "../../rollout/fleet.ts";
import { acquireFleetLock } from "../../rollout/fleet-lock.ts";
import { type FleetParts, FleetWorld } from "../../rollout/fleet-world.ts";
import { Journal } from "../../rollout/journal.ts";
import { planRollout, type RolloutPlan } from "../../rollout/plan-rollout.ts";
import { type RunEnd, runRollout } from "../../rollout/runner.ts";
import { changesSince, type PlanFacts, planFacts, readPlan, type StoredPlan } from "../../rollout/stored-plan.ts";
import { askYesNo } from "../ask.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { databaseOf, planOf, type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { planText } from "./rollout-plan.ts";
import { createScreen, type Screen } from "./rollout-screen.ts";

type Options = { fleet: string; yes?: true; json?: true; until?: Until };

const pollMs = 200;
const blindMsMax = 60_000;
const progressMs = 5_000;

const help = `
A rollout remembers nothing it could not find out again: run it once more after a pause, a signal or a crash, and it goes on from what
is there. SIGTERM or SIGINT stops it between two steps; nodes that are draining go on draining.

Where a plan is stored (glance-rollout plan) a rollout that begins refuses if the fleet is not as it was then. With --until it ends
after that phase, with exit code 0: backup; expand or migrate, while every node goes on serving what it serves; nodes, with the contract
left for another day. A later run goes on.

Examples:
  glance-rollout run --fleet /etc/glance/fleet.yaml --until nodes
  glance-rollout run --fleet /etc/glance/fleet.yaml
  glance-rollout run --fleet /etc/glance/fleet.yaml --yes --json`;

export function addRunCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("run")
    .summary("do the rollout, or go on with it")
    .description(
      "Backs up the database, takes the first node out, expands and migrates the database, brings the node back as the target release, does the same with the other nodes one by one, and contracts the database when no older node runs anywhere.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--yes", "do not ask before the first step")
    .addOption(new Option("--until <phase>", "end after this phase").choices(untils))
    .option("--json", "print the journal's entries, one JSON object a line")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runRun(options)));
}

async function runRun(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  if (!options.yes && !process.stdin.isTTY) {
    process.stderr.write(
      "glance-rollout: nobody can be asked here; look at glance-rollout plan, then run with --yes\n",
    );
    return exitCodes.usage;
  }
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => stop.abort(new Error(`stopped by ${name}`));
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal).on("SIGHUP", onSignal);
  // Whoever read along may go away; the journal has it all.
  process.stdout.on("error", () => undefined);
  const lock = acquireFleetLock(fleet.journal, fleet.name);
  const screen = createScreen({ json: options.json === true });
  const database = databaseOf(fleet);
  try {
    await database.hold(stop.signal);
    // One from before we had the fleet was for a rollout that is over.
    const requests = createRolloutRequestRepository(await database.open(stop.signal));
    await requests.takeBack("abort");
    const journal = await Journal.open({
      folder: fleet.journal,
      fleet: fleet.name,
      target: fleet.target,
      clock: systemClock,
      onEvent: (event) => screen.event(event),
      store: database.journalStore(),
    });
    try {
      const { rolloutId } = journal;
      const onLook: FleetParts["onLook"] = (seen) => screen.look(seen);
      const parts = wireRollout(fleet, { rolloutId, onLook, database, journaled: () => journal.events });
      if (!(await mayBegin(parts, options, stop.signal))) return exitCodes.failed;
      const plan = { ...planOf(fleet), until: options.until ?? null };
      const end = await roll(plan, parts, journal, stop.signal);
      // The journal says so by now; whoever asked waits for this.
      if (end.end === "aborted") await requests.takeBack("abort");
      return report(end, screen, options);
    } finally {
      await journal.close();
    }
  } finally {
    screen.end();
    await database.close();
    lock.release();
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal).off("SIGHUP", onSignal);
  }
}

/** Looks, and refuses what cannot go well before anything is touched; then asks. */
async function mayBegin(parts: RolloutParts, options: Options, signal: AbortSignal): Promise<boolean> {
  await parts.database.hold(signal);
  const seen = await new FleetWorld(parts).look(signal);
  const db = await parts.database.open(signal);
  const plan = await planRollout(parts.fleet, seen, db);
  if (plan.problems.length > 0) {
    const message = `nothing was changed: ${plan.problems.join("; ")}`;
    throw new ServiceError("schema.preflight_failed", message, { facts: { problems: plan.problems.length } });
  }
  // A rollout that goes on has itself changed what the plan was made for.
  const plans = createRolloutPlanRepository(db);
  const stored = parts.journaled().length === 0 ? await plans.find() : undefined;
  if (stored) refuseChanged(readPlan(stored.body), planFacts(parts.fleet, seen));
  const goesAhead = await isWanted(parts, plan, options, signal);
  if (goesAhead && stored) await plans.remove(stored.planId);
  return goesAhead;
}

function refuseChanged({ told, facts }: StoredPlan, now: PlanFacts): void {
  const changes = changesSince(facts, now);
  if (changes.length === 0) return;
  const message = `nothing was changed: since the plan of ${told} ${changes.join("; ")}. Look at glance-rollout plan again`;
  throw new ServiceError("rollout.plan_outdated", message, { facts: { changes: changes.length } });
}

async function isWanted(
  parts: RolloutParts,
  plan: RolloutPlan,
  options: Options,
  signal: AbortSignal,
): Promise<boolean> {
  if (options.yes || plan.steps.length === 0) return true;
  if (!process.stdin.isTTY) {
    throw new ServiceError(
      "rollout.paused",
      "nobody can be asked here; look at glance-rollout plan, then run with --yes",
    );
  }
  process.stderr.write(`${planText(plan, parts, null).join("\n")}\n`);
  const yes = await askYesNo("Go ahead?", signal);
  if (!yes) process.stderr.write("glance-rollout: nothing was changed\n");
  return yes;
}

function roll(plan: Plan, parts: RolloutParts, journal: Journal, signal: AbortSignal): Promise<RunEnd> {
  return runRollout({
    plan,
    world: new FleetWorld(parts),
    journal,
    clock: systemClock,
    signal,
    pollMs,
    blindMsMax,
    progressMs,
  });
}

function report(end: RunEnd, screen: Screen, options: Options): ExitCode {
  screen.end();
  switch (end.end) {
    case "finished":
      return exitCodes.ok;
    case "reached":
      if (!options.json) {
        process.stderr.write(`glance-rollout: ${end.why}; go on with: glance-rollout run --fleet ${options.fleet}\n`);
      }
      return exitCodes.ok;
    case "aborted":
      process.stderr.write(`glance-rollout: ${end.why}\n`);
      return exitCodes.aborted;
    case "paused":
      process.stderr.write(
        `glance-rollout: paused: ${end.why}; put it right and run it again: glance-rollout run --fleet ${options.fleet}\n`,
      );
      return exitCodes.paused;
    case "stopped":
      process.stderr.write(`glance-rollout: stopped; go on with: glance-rollout run --fleet ${options.fleet}\n`);
      return exitCodes.failed;
    case "displaced":
      process.stderr.write(`glance-rollout: ${end.why}\n`);
      return exitCodes.locked;
    case "failed":
      process.stderr.write(`glance-rollout: ${end.why}\n`);
      return exitCodes.failed;
  }
}
