// The backup of a rollout: that of db/backup/ under the rollout's name, within its time. Whatever fails is rollout.backup_failed, with
// nothing else touched; but a database that went away meanwhile comes back, and the backup is made anew then, as any other step is done again.
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { type Backup, type BackupOptions, backUp } from "../../db/backup/back-up.ts";
import type { BackupStage } from "../../db/backup/progress.ts";

/** A schema change that is about to end is waited for. */
const lockMsMax = 10_000;

export type RolloutBackupOptions = Pick<BackupOptions, "db" | "databaseUrl" | "folder" | "signal"> & {
  readonly rolloutId: string;
  readonly msMax: number;
  /** Progress, for people. */
  readonly report: (text: string) => Promise<void>;
};

const told: Partial<Record<BackupStage, string>> = { read_back: "reading it back", load: "restoring it for a test" };

/** Throws rollout.backup_failed, db.unreachable. */
export async function backUpForRollout(options: RolloutBackupOptions): Promise<Backup> {
  const { db, databaseUrl, folder, rolloutId, msMax, report } = options;
  const limit = AbortSignal.timeout(msMax);
  const reports: Promise<void>[] = [];
  let stage: BackupStage = "write";
  try {
    const made = await backUp({
      db,
      databaseUrl,
      folder,
      label: rolloutId,
      signal: AbortSignal.any([options.signal, limit]),
      lockMsMax,
      on(progress) {
        const text = progress.stage === stage ? undefined : told[progress.stage];
        stage = progress.stage;
        if (text === undefined) return;
        const reported = report(text);
        // Awaited below; until then a journal that cannot be written must not count as unhandled.
        reported.catch(() => undefined);
        reports.push(reported);
      },
    });
    await Promise.all(reports);
    return made;
  } catch (error) {
    if (!options.signal.aborted && !limit.aborted) await requireReachable(options, error);
    const why = limit.aborted ? `the backup into ${folder} took longer than ${msMax / 1_000} s` : errorText(error);
    throw new ServiceError("rollout.backup_failed", why, { facts: { folder }, cause: error });
  }
}

/** Throws db.unreachable where that is what the backup failed of. A tool that lost the server says so in words of its own, or not at all. */
async function requireReachable({ db }: RolloutBackupOptions, failure: unknown): Promise<void> {
  if (isServiceError(failure, "db.unreachable")) throw failure;
  try {
    await db.query("SELECT 1");
  } catch (error) {
    if (isServiceError(error, "db.unreachable")) throw error;
  }
}
