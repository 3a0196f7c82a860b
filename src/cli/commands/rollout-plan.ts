// `glance-rollout plan`: every step a rollout would take from here, with what the database work costs; changes nothing.
import type { Command } from "commander";
import { loadFleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { isFinished, readJournals } from "../../rollout/journal.ts";
import { planRollout, type RolloutPlan } from "../../rollout/plan-rollout.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { priceText } from "./plan-text.ts";
import { type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { nodeTable } from "./rollout-table.ts";

type Options = { fleet: string; json?: true };

export function addPlanCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("plan")
    .summary("print what a rollout would do from here; changes nothing")
    .description(
      "Looks at the fleet, the balancer and the database, and prints every step of the rollout in order, with what each change of the schema costs on this server. Changes nothing. Exit code 1 where something stands in the way.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  glance-rollout plan --fleet /etc/glance/fleet.yaml")
    .action((options: Options) => run(() => runPlan(options)));
}

async function runPlan(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  const unfinished = (await readJournals(fleet.journal, fleet.name, fleet.target)).findLast((one) => !isFinished(one));
  const parts = wireRollout(fleet, { rolloutId: unfinished?.rolloutId ?? "none yet" });
  try {
    const signal = new AbortController().signal;
    const db = await parts.database.open(signal);
    const seen = await new FleetWorld(parts).look(signal);
    const plan = await planRollout(fleet, seen, db);
    const rollout = unfinished?.rolloutId ?? null;
    const lines = options.json
      ? [JSON.stringify({ ...plan, rollout, due: seen.due, nodes: seen.nodes })]
      : [...nodeTable(seen.nodes), "", ...planText(plan, parts, rollout)];
    process.stdout.write(`${lines.join("\n")}\n`);
    return plan.problems.length > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    await parts.close();
  }
}

/** The plan in lines, as `run` shows it before it asks. */
export function planText(plan: RolloutPlan, parts: RolloutParts, resumed: string | null): readonly string[] {
  if (plan.steps.length === 0)
    return [`Nothing to do: every node serves ${plan.target}, and the database is contracted.`];
  const lines = [
    `Rollout of ${parts.fleet.name} to ${plan.target} on ${parts.databaseName}${resumed === null ? "" : `, going on with ${resumed}`}:`,
  ];
  for (const [index, step] of plan.steps.entries()) {
    lines.push(`${String(index + 1).padStart(3)}. ${step.text}`);
    for (const one of step.statements ?? []) {
      lines.push(`       ${one.step}  (${priceText(one)})`);
    }
  }
  return [
    ...lines,
    ...plan.notes.map((note) => `note: ${note}`),
    ...plan.problems.map((problem) => `in the way: ${problem}`),
  ];
}
