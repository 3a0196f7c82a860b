// A plan of the schema engine in words for people, the same in `glance-manage db plan`, `--dry-run` and `glance-rollout plan`.
import { type Seconds, total } from "../../db/schema/estimate.ts";
import type { Findings } from "../../db/schema/findings.ts";
import type { PlannedStep } from "../../db/schema/plan.ts";
import type { UpgradePlan } from "../../db/schema/upgrade-plan.ts";
import { textTable } from "../text-table.ts";

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

const number = new Intl.NumberFormat("en-US");

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** `1 to 6 min`, `up to 1 s`, or nothing where it is not known. */
export function timeText(seconds: Seconds | null): string {
  if (seconds === null) return "";
  if (seconds.min === 0) return `up to ${durationText(seconds.max)}`;
  return `${durationText(seconds.min)} to ${durationText(seconds.max)}`;
}

/** `instant`, `batches, 1000 rows, up to 1 s`. */
export function priceText({ cost, rows, seconds }: PlannedStep): string {
  const time = cost === "instant" ? "" : timeText(seconds);
  return [costText[cost], rows === null ? "" : `${number.format(rows)} rows`, time]
    .filter((part) => part !== "")
    .join(", ");
}

const header = ["PHASE", "RELEASE", "STEP", "ROWS", "TIME", "WHAT IT COSTS"] as const;

export function upgradePlanText(plan: UpgradePlan, target: string, from: string): readonly string[] {
  const due = plan.steps.filter((step) => !step.applied);
  if (plan.due === "nothing" && due.length === 0) return [`Nothing to do: the database is finished for ${target}.`];
  const table = textTable([header, ...due.map(row)]);
  const done = plan.steps.length - due.length;
  return [
    `From ${from} to ${target}; next: glance-manage db ${plan.due === "nothing" ? "expand" : plan.due}`,
    "",
    ...table,
    "",
    `${due.length} steps to go${done > 0 ? `, ${done} done already` : ""}; in all ${timeText(total(due.map((step) => step.seconds)))}, and waiting for other transactions.`,
    ...phaseText("expand", plan.findings.expand, plan.due === "expand"),
    ...phaseText("contract", plan.findings.contract, plan.due !== "nothing"),
    ...plan.contractBlockers.map((blocker) => `contract waits: ${blocker}`),
    ...plan.unknownConnections.map((line) => `contract cannot tell: ${line}`),
  ];
}

function row(step: PlannedStep): readonly string[] {
  const rows = step.cost === "instant" ? null : (step.rows ?? step.tableRows);
  const about = rows !== null && step.rows === null ? "~" : "";
  const shown = rows === null ? "-" : `${about}${number.format(rows)}`;
  return [step.phase, step.release, step.step, shown, timeText(step.seconds), costText[step.cost]];
}

/** Privileges and settings, as the phase itself would ask for them. */
function phaseText(phase: string, { problems, notes }: Findings, asked: boolean): readonly string[] {
  if (!asked) return [];
  if (problems.length === 0 && notes.length === 0) return [`${phase}: privileges and settings are sufficient`];
  return [
    ...problems.map((text) => `${phase} is missing: ${text}`),
    ...(problems.length === 0 ? [`${phase}: privileges and settings are sufficient`] : []),
    ...notes.map((text) => `${phase}, note: ${text}`),
  ];
}
