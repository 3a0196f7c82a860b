// `glance-rollout run`: does the rollout, or goes on with one that was paused, stopped or killed.
import { type Command, Option } from "commander";
import { ServiceError } from "../../core/errors.ts";
import { createRolloutPlanRepository } from "../../db/repositories/rollout-plan-repository.ts";
import { type Until, untils } from "../../rollout/decide.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { planRollout } from "../../rollout/plan-rollout.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { changesSince, type PlanFacts, planFacts, readPlan, type StoredPlan } from "../../rollout/stored-plan.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { type ControlFlags, type Listen, listenOption, openConsole } from "./console-serve.ts";
import { checkNodeConfigs, planOf, type RolloutParts } from "./rollout-parts.ts";
import { planText } from "./rollout-plan.ts";
import { runRollback } from "./rollout-rollback.ts";
import { askToGoAhead, runSession } from "./rollout-session.ts";

type Options = ControlFlags & {
  fleet: string;
  yes?: true;
  json?: true;
  until?: Until;
  canary?: true;
  console?: true;
  listen: Listen;
};

const help = `
A rollout remembers nothing it could not find out again: run it once more after a pause, a signal or a crash, and it goes on from what
is there. SIGTERM or SIGINT stops it between two steps; nodes that are draining go on draining.

Where a plan is stored (glance-rollout plan) a rollout that begins refuses if the fleet is not as it was then. With --until it ends
after that phase, with exit code 0: backup; expand or migrate, while every node goes on serving what it serves; nodes, with the contract
left for another day; canary (or --canary) after the first batch of nodes. A later run goes on.

Examples:
  glance-rollout run --fleet /etc/glance/fleet.yaml
  glance-rollout run --fleet /etc/glance/fleet.yaml --canary
  glance-rollout run --fleet /etc/glance/fleet.yaml --until nodes
  glance-rollout run --fleet /etc/glance/fleet.yaml --console
  glance-rollout run --fleet /etc/glance/fleet.yaml --yes --json`;

export function addRunCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("run")
    .summary("do the rollout, or go on with it")
    .description(
      "Backs up the database, takes the first node out, expands and migrates the database, brings the node back as the target release, does the same with the other nodes, and contracts the database when no older node runs anywhere.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--yes", "do not ask before the first step")
    .addOption(new Option("--until <phase>", "end after this phase").choices(untils))
    .addOption(
      new Option("--canary", "end after the first batch and its comparison with the other nodes").conflicts("until"),
    )
    .option("--console", "show the rollout on a web page too, for as long as this run takes")
    .addOption(listenOption())
    .option("--allow-control", "the console takes orders from whoever has the token")
    .option("--token-file <file>", "the console's token, in a file that only you may read")
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
  if (!options.console) return runAndReturn(fleet, options);
  checkNodeConfigs(fleet);
  const opened = await openConsole(fleet, options);
  process.stderr.write(`glance-rollout: the console is at ${opened.address}\n`);
  try {
    const code = await runAndReturn(fleet, options);
    // A rollback that was ordered begins when this run has ended.
    await opened.settled();
    return code;
  } finally {
    await opened.close();
  }
}

async function runAndReturn(fleet: Fleet, options: Options): Promise<ExitCode> {
  const code = await runSession({
    fleet,
    rolloutTarget: fleet.target,
    plan: { ...planOf(fleet), until: options.canary ? "canary" : (options.until ?? null) },
    json: options.json === true,
    again: `glance-rollout run --fleet ${options.fleet}`,
    mayBegin: (parts, seen, signal) => mayBegin(parts, seen, options, signal),
  });
  if (code !== exitCodes.rolledBack) return code;
  // Not asked again: on_failure is the operator's word for it.
  const back = await runRollback({ fleet: options.fleet, yes: true, ...(options.json && { json: true }) });
  return back === exitCodes.ok ? code : back;
}

async function mayBegin(
  parts: RolloutParts,
  seen: Omit<Snapshot, "memory">,
  options: Options,
  signal: AbortSignal,
): Promise<boolean> {
  if (parts.journaled().some((event) => event.data?.do === "retreat")) {
    const message =
      "the new nodes did worse than the old ones, and the fleet is going back: go on with glance-rollout rollback, or end it with glance-rollout abort";
    throw new ServiceError("rollout.paused", message);
  }
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
  const wanted =
    options.yes === true || plan.steps.length === 0 || (await askToGoAhead(planText(plan, parts, null), signal));
  if (wanted && stored) await plans.remove(stored.planId);
  return wanted;
}

function refuseChanged({ told, facts }: StoredPlan, now: PlanFacts): void {
  const changes = changesSince(facts, now);
  if (changes.length === 0) return;
  const message = `nothing was changed: since the plan of ${told} ${changes.join("; ")}. Look at glance-rollout plan again`;
  throw new ServiceError("rollout.plan_outdated", message, { facts: { changes: changes.length } });
}
