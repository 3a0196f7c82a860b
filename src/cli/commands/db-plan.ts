// `db plan`: what an upgrade would do here and what stands in its way; and `--dry-run` of the phases, which prints their part of it.
import { type PlannedStep, planPhases } from "../../db/schema/plan.ts";
import { planUpgrade } from "../../db/schema/upgrade-plan.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import type { ManageCommand, ManageContext, ManageFlag } from "../manage-command.ts";
import { priceText, upgradePlanText } from "./plan-text.ts";

export const dryRunFlag: ManageFlag = {
  flag: "--dry-run",
  help: "print the steps with their cost, and change nothing",
};

export const dbPlan: ManageCommand = {
  name: "plan",
  summary: "Print what an upgrade would do here, what it costs, and what stands in its way. Changes nothing.",
  help: `Every step of expand, migrate and contract up to the target release: what it does to what, how this server does it, how many rows it
goes through and how long that may take (a range: a busy small machine, an idle large one). Then what each phase lacks (privileges,
settings, room), transactions that are open for long, and what contract would be refused for today.

Exit code 0: the phase that is due can be run, or there is none. 1: it cannot, and the lines say why.

Examples:
  glance-manage db plan --to 2026.1
  glance-manage db plan --json | jq '.steps[] | select(.cost == "copy")'`,
  flags: [],
  async run({ db, target, out }) {
    const plan = await planUpgrade(db, target);
    const from = plan.contracted ?? "an empty database";
    out.result(upgradePlanText(plan, target.id, from), { command: "plan", target: target.id, ...plan });
    return plan.canGoOn ? exitCodes.ok : exitCodes.failed;
  },
};

export async function printPlan(
  { db, target, out }: ManageContext,
  phases: readonly PlannedStep["phase"][],
): Promise<ExitCode> {
  const steps = (await planPhases(db, target)).filter((step) => phases.includes(step.phase));
  const lines = steps.map(
    (step) => `${step.applied ? "done" : "due "}  ${step.phase}  ${step.step}  (${priceText(step)})`,
  );
  out.result(lines.length > 0 ? lines : "Nothing to do.", { command: "plan", target: target.id, steps });
  return exitCodes.ok;
}
