// `--dry-run` of the phases: every step with its cost on this server, and nothing changed.
import { type PlannedStep, planPhases } from "../../db/schema/plan.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import type { ManageContext, ManageFlag } from "../manage-command.ts";

export const dryRunFlag: ManageFlag = {
  flag: "--dry-run",
  help: "print the steps with their cost, and change nothing",
};

/** For people; `glance-rollout plan` shows the same. */
export const costText: Record<PlannedStep["cost"], string> = {
  instant: "instant",
  scan: "reads every row, writers go on",
  index_build: "builds an index, writers go on",
  switch: "copies the column in batches, then switches in a moment",
  rebuild: "rebuilds the table, writers go on",
  locked_scan: "READS EVERY ROW, everybody waits",
  copy: "COPIES THE TABLE, writers wait",
  rows: "batches",
};

export async function printPlan(
  { db, target, out }: ManageContext,
  phases: readonly PlannedStep["phase"][],
): Promise<ExitCode> {
  const steps = (await planPhases(db, target)).filter((step) => phases.includes(step.phase));
  const lines = steps.map((step) => {
    const rows = step.rows === null ? "" : `, ${step.rows} rows`;
    return `${step.applied ? "done" : "due "}  ${step.phase}  ${step.step}  (${costText[step.cost]}${rows})`;
  });
  out.result(lines.length > 0 ? lines : "Nothing to do.", { command: "plan", target: target.id, steps });
  return exitCodes.ok;
}
