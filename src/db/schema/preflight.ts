// Before a phase: says everything that is missing at once, while nothing is touched yet.
import { ServiceError } from "../../core/errors.ts";
import type { Release } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { findAltered } from "./altered.ts";
import type { EngineRun } from "./engine-run.ts";
import type { Findings, PreflightPhase } from "./findings.ts";
import { readFindings } from "./schema-tools.ts";

/** Throws schema.preflight_failed with all problems in one line; notes become warnings. */
export async function preflight(run: EngineRun, phase: PreflightPhase): Promise<void> {
  const { problems, notes } = await findingsFor(run.db, phase, run.target);
  for (const text of notes) run.on({ event: "warning", text });
  if (problems.length === 0) return;
  throw new ServiceError("schema.preflight_failed", `cannot ${phase}, nothing was changed: ${problems.join("; ")}`, {
    facts: { phase, problems: problems.length },
  });
}

/** What the server lacks, and what somebody altered by hand. Throws schema.unknown_revision. */
export async function findingsFor(db: Database, phase: PreflightPhase, target: Release): Promise<Findings> {
  const [server, altered] = [await readFindings(db, phase), await findAltered(db, target)];
  return { problems: [...server.problems, ...altered.problems], notes: [...server.notes, ...altered.notes] };
}
