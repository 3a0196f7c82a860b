// `glance-rollout plan`: every step a rollout would take from here, with what the database work costs; stores it for `run`.
import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { createRolloutPlanRepository } from "../../db/repositories/rollout-plan-repository.ts";
import { ensureTables } from "../../db/schema/own-tables.ts";
import { rolloutTables } from "../../db/schema/rollout-tables.ts";
import { loadFleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { isFinished } from "../../rollout/journal-file.ts";
import { planRollout, type RolloutPlan } from "../../rollout/plan-rollout.ts";
import { readHistory } from "../../rollout/rollout-history.ts";
import { planFacts, writePlan } from "../../rollout/stored-plan.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { priceText } from "./plan-text.ts";
import { checkNodeConfigs, databaseOf, type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { askedBy } from "./rollout-request.ts";
import { nodeTable } from "./rollout-table.ts";

type Options = { fleet: string; json?: true };

export function addPlanCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("plan")
    .summary("print what a rollout would do from here, and store it; touches nothing else")
    .description(
      "Looks at the fleet, the balancer and the database, and prints every step of the rollout in order, with what each change of the schema costs on this server. The plan is stored in the database: a rollout that begins afterwards refuses if the fleet is not as it was. Touches nothing else. Exit code 1 where something stands in the way; then nothing is stored.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  glance-rollout plan --fleet /etc/glance/fleet.yaml\n  glance-rollout plan --fleet /etc/glance/fleet.yaml --json | jq .steps",
    )
    .action((options: Options) => run(() => runPlan(options)));
}

async function runPlan(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  checkNodeConfigs(fleet);
  const database = databaseOf(fleet);
  try {
    const signal = new AbortController().signal;
    const db = await database.open(signal);
    const history = await readHistory(fleet.journal, fleet.name, database.journalStore());
    const unfinished = history.findLast((one) => one.target === fleet.target && !isFinished(one));
    const rollout = unfinished?.rolloutId ?? null;
    const journaled = () => unfinished?.events ?? [];
    const parts = wireRollout(fleet, { rolloutId: rollout ?? "none yet", database, journaled });
    const seen = await new FleetWorld(parts).look(signal);
    const plan = await planRollout(fleet, seen, db);
    const planId = randomUUID();
    const isStored = plan.problems.length === 0 && plan.steps.length > 0;
    if (isStored) {
      await ensureTables(db, rolloutTables);
      const body = writePlan({ planId, told: askedBy(), facts: planFacts(fleet, seen), plan });
      await createRolloutPlanRepository(db).store(planId, body);
    }
    const lines = options.json
      ? [JSON.stringify({ ...plan, plan: isStored ? planId : null, rollout, due: seen.due, nodes: seen.nodes })]
      : [
          ...nodeTable(seen.nodes),
          "",
          ...planText(plan, parts, rollout),
          ...(isStored ? ["", `stored as ${planId}`] : []),
        ];
    process.stdout.write(`${lines.join("\n")}\n`);
    return plan.problems.length > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    await database.close();
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
