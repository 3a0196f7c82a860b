// Everything there is to know before an upgrade: the steps of all phases with their price, what each phase still lacks, and what would
// refuse contract today. Changes nothing, and needs no engine lock.
import type { Release } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { type CheckResult, check } from "./check.ts";
import { glanceText, olderGlances, olderNodes, unknownConnections } from "./contract-blockers.ts";
import { type Findings, nothingFound } from "./findings.ts";
import { type PlannedStep, planPhases } from "./plan.ts";
import { findingsFor } from "./preflight.ts";

export type UpgradePlan = CheckResult & {
  readonly steps: readonly PlannedStep[];
  /** Privileges, versions, settings, room and long transactions, asked for each phase that is still to come. */
  readonly findings: { readonly expand: Findings; readonly contract: Findings };
  /** What refuses contract now, and must be over by the time it is due. */
  readonly contractBlockers: readonly string[];
  /** Connections from hosts that no registered node explains: only the operator knows what they are. */
  readonly unknownConnections: readonly string[];
  /** The phase that is due can be run now. */
  readonly canGoOn: boolean;
};

/** Throws schema.unknown_revision, and schema.out_of_order where the database is past the target. */
export async function planUpgrade(db: Database, target: Release): Promise<UpgradePlan> {
  const standing = await check(db, target);
  const { due } = standing;
  const steps = await planPhases(db, target);
  const findings = {
    expand: due === "expand" ? await findingsFor(db, "expand", target) : nothingFound,
    contract: due === "nothing" ? nothingFound : await findingsFor(db, "contract", target),
  };
  const contractBlockers = due === "nothing" ? [] : await blockers(db, target, steps);
  const hindrances =
    due === "expand"
      ? findings.expand.problems
      : due === "contract"
        ? [...findings.contract.problems, ...contractBlockers]
        : [];
  return {
    ...standing,
    steps,
    findings,
    contractBlockers,
    unknownConnections: due === "nothing" ? [] : await unknownConnections(db),
    canGoOn: hindrances.length === 0,
  };
}

async function blockers(db: Database, target: Release, steps: readonly PlannedStep[]): Promise<readonly string[]> {
  const waiting = steps.filter((step) => step.phase === "migrate" && !step.applied);
  const data = waiting.map(({ step, rows }) => `data is pending: ${step}${rows === null ? "" : ` (${rows} rows)`}`);
  const nodes = (await olderNodes(db, target)).map(
    ({ name, release, state, secondsAgo }) => `node ${name} runs as ${release} (${state}, seen ${secondsAgo} s ago)`,
  );
  const glances = (await olderGlances(db, target)).map((one) => `a Glance may be alive: ${glanceText(one)}`);
  return [...data, ...nodes, ...glances];
}
