// `glance-rollout run`: does the rollout, or goes on with one that was paused, stopped or killed.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { acquireFleetLock } from "../../rollout/fleet-lock.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { Journal } from "../../rollout/journal.ts";
import { planRollout } from "../../rollout/plan-rollout.ts";
import { type RunEnd, runRollout } from "../../rollout/runner.ts";
import { askYesNo } from "../ask.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { planOf, type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { planText } from "./rollout-plan.ts";
import { createScreen, type Screen } from "./rollout-screen.ts";

type Options = { fleet: string; yes?: true; json?: true };

const pollMs = 200;
const blindMsMax = 60_000;
const progressMs = 5_000;

const help = `
A rollout remembers nothing it could not find out again: run it once more after a pause, a signal or a crash, and it goes on from what
is there. SIGTERM or SIGINT stops it between two steps; nodes that are draining go on draining.

Examples:
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
  try {
    const journal = await Journal.open({
      folder: fleet.journal,
      fleet: fleet.name,
      target: fleet.target,
      clock: systemClock,
      onEvent: (event) => screen.event(event),
    });
    const parts = wireRollout(fleet, { rolloutId: journal.rolloutId, onLook: (seen) => screen.look(seen) });
    try {
      if (!(await mayBegin(parts, options, stop.signal))) return exitCodes.failed;
      return report(await roll(fleet, parts, journal, stop.signal), screen, options);
    } finally {
      await parts.close();
      await journal.close();
    }
  } finally {
    screen.end();
    lock.release();
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal).off("SIGHUP", onSignal);
  }
}

/** Looks, and refuses what cannot go well before anything is touched; then asks. */
async function mayBegin(parts: RolloutParts, options: Options, signal: AbortSignal): Promise<boolean> {
  await parts.database.hold(signal);
  const seen = await new FleetWorld(parts).look(signal);
  const plan = await planRollout(parts.fleet, seen, await parts.database.open(signal));
  if (plan.problems.length > 0) {
    const message = `nothing was changed: ${plan.problems.join("; ")}`;
    throw new ServiceError("schema.preflight_failed", message, { facts: { problems: plan.problems.length } });
  }
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

function roll(fleet: Fleet, parts: RolloutParts, journal: Journal, signal: AbortSignal): Promise<RunEnd> {
  return runRollout({
    plan: planOf(fleet),
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
    case "paused":
      process.stderr.write(
        `glance-rollout: paused: ${end.why}; put it right and run it again: glance-rollout run --fleet ${options.fleet}\n`,
      );
      return exitCodes.paused;
    case "stopped":
      process.stderr.write(`glance-rollout: stopped; go on with: glance-rollout run --fleet ${options.fleet}\n`);
      return exitCodes.failed;
    case "failed":
      process.stderr.write(`glance-rollout: ${end.why}\n`);
      return exitCodes.failed;
  }
}
