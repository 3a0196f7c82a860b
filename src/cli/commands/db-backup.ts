// `db backup`: a proven copy of the database, made while the fleet serves.
import { type Backup, backUp } from "../../db/backup/back-up.ts";
import type { BackupProgress, BackupStage } from "../../db/backup/progress.ts";
import { readDatabaseConfig } from "../../db/connect.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";
import type { ManageOutput } from "../manage-output.ts";

const ways = ["restore", "read", "none"] as const;
type Way = (typeof ways)[number];

export const dbBackup: ManageCommand = {
  name: "backup",
  summary: "Back the database up while the fleet serves, and prove the backup.",
  help: `Writes one consistent snapshot with the database's own tools (mariadb-dump or mysqldump, pg_dump, SQLite itself) into a folder of its own
under --to: data.*.zst and manifest.json. Nobody is held up; db expand, migrate and contract wait until the snapshot is written. Then
the backup is restored into a scratch database on the same server (perennial_check_*), its rows are counted, and that database is dropped.
Where the user may not create databases, the file is read through and counted instead, and the result says so. Image data is not in it.

Examples:
  glance-manage db backup --to /var/backups/glance
  glance-manage db backup --to /var/backups/glance --verify restore --json`,
  flags: [
    { flag: "--to <folder>", help: "where the backup's folder is made (required)" },
    {
      flag: "--verify <how>",
      help: "restore: fail where that cannot be tried; read: count what the file holds; none (default: restore where allowed, else read)",
      parse(text) {
        if (!ways.includes(text as Way)) throw new RangeError(`'${text}' is none of ${ways.join(", ")}`);
        return text;
      },
    },
  ],
  withoutTarget: true,
  async run({ db, config, out, engine, flag }) {
    const folder = flag<string>("to");
    const verify = flag<Way>("verify");
    if (folder === undefined) {
      out.error("db backup needs --to: the folder for backups", { code: "usage" });
      return exitCodes.usage;
    }
    const on = tellProgress(out);
    const made = await backUp({
      db,
      databaseUrl: readDatabaseConfig(config).url,
      folder,
      signal: engine.signal ?? new AbortController().signal,
      on,
      ...(verify && { verify }),
    });
    const { path, manifest } = made;
    out.result(describeBackup(made), { command: "backup", path, ...manifest });
    if (verify === undefined && manifest.verified === "reading")
      out.note(`verified by reading, not by restoring: ${manifest.verifiedWhy}`);
    return exitCodes.ok;
  },
};

function describeBackup({ path, manifest }: Backup): string {
  const { rows, bytes, verified, revisions } = manifest;
  const proof = verified === "none" ? "not verified" : `verified by ${verified}`;
  const size = `${rows.images ?? 0} images, ${Object.keys(rows).length} tables, ${bytes} bytes`;
  return `Backed up database at revision(s): ${revisions.join(", ")} to ${path} (${size}; ${proof})`;
}

const doing: Record<BackupStage, string> = {
  write: "writing",
  read_back: "reading back",
  check: "checking",
  load: "restoring",
};

/** Shared with `db restore`. */
export function tellProgress(out: ManageOutput): (progress: BackupProgress) => void {
  const mb = (bytes: number) => (bytes / 1_000_000).toFixed(1);
  return (progress) => {
    const { stage, bytes, bytesTotal, bytesPerSecond, etaSeconds } = progress;
    const of = bytesTotal === null ? "" : ` of ${stage === "write" ? "about " : ""}${mb(bytesTotal)}`;
    const left = etaSeconds === null ? "" : `, ${etaSeconds} s left`;
    out.working(`${doing[stage]}: ${mb(bytes)}${of} MB, ${mb(bytesPerSecond)} MB/s${left}`, progress);
  };
}
