// Puts a database that has tables but no revision (or a wrong one) under version control by writing the revision its operator names.
import { isServiceError } from "../../core/errors.ts";
import type { Session } from "../database.ts";
import { type EngineOptions, withEngineLock } from "./engine-run.ts";
import type { LiveSchema } from "./live-schema.ts";
import { indexSteps } from "./own-indexes.ts";
import { ensureOwnTables } from "./own-tables.ts";
import { readHeads, revisionNamed, type Standing, stamp, standingOf } from "./revisions.ts";
import { runSteps } from "./run-steps.ts";
import { withExecutor } from "./schema-tools.ts";

export type VersionControlResult = {
  readonly revision: string;
  /** What stood there before. */
  readonly before: readonly string[];
  /** It said more than `revision` does: phases that are done count as due again. */
  readonly backwards: boolean;
};

/** `version`: a revision, or a release's name. Believes its operator: no table is looked at. Throws schema.unknown_revision. */
export function versionControl(options: EngineOptions & { version: string }): Promise<VersionControlResult> {
  const revision = revisionNamed(options.version);
  return withEngineLock(options, (run) =>
    withExecutor(run.db, run.limits, async (executor, session) => {
      const before = await headsBefore(session, await executor.introspect());
      await ensureOwnTables(run.db);
      await stamp(run.db, [revision]);
      const schema = await executor.introspect();
      const levels = standingOf({ heads: [revision], legacy: false });
      await runSteps(run, executor, "indexes", run.target.id, indexSteps(schema, levels));
      return { revision, before, backwards: isBackwards(before, levels) };
    }),
  );
}

/** For the record only: what this command is about to replace may be nonsense. */
async function headsBefore(session: Session, schema: LiveSchema): Promise<readonly string[]> {
  try {
    return (await readHeads(session, schema)).heads;
  } catch (error) {
    if (isServiceError(error, "schema.unknown_revision")) return [];
    throw error;
  }
}

function isBackwards(before: readonly string[], now: Standing): boolean {
  try {
    const then = standingOf({ heads: before, legacy: false });
    return then.expandLevel > now.expandLevel || then.contractLevel > now.contractLevel;
  } catch (error) {
    if (isServiceError(error, "schema.unknown_revision")) return false;
    throw error;
  }
}
