// Before a phase: says everything that is missing at once, while nothing is touched yet.
import { ServiceError } from "../../core/errors.ts";
import type { EngineRun } from "./engine-run.ts";
import type { PreflightPhase } from "./findings.ts";
import { readFindings } from "./schema-tools.ts";

/** Throws schema.preflight_failed with all problems in one line; notes become warnings. */
export async function preflight(run: EngineRun, phase: PreflightPhase): Promise<void> {
  const { problems, notes } = await readFindings(run.db, phase);
  for (const text of notes) run.on({ event: "warning", text });
  if (problems.length === 0) return;
  throw new ServiceError("schema.preflight_failed", `cannot ${phase}, nothing was changed: ${problems.join("; ")}`, {
    facts: { phase, problems: problems.length },
  });
}
