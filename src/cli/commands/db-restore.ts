// `db restore`: puts a backup back, while nobody serves from the database.
import { dirname, resolve } from "node:path";
import { readBackup } from "../../db/backup/manifest.ts";
import { restore } from "../../db/backup/restore.ts";
import { readDatabaseConfig } from "../../db/connect.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";
import { tellProgress } from "./db-backup.ts";

export const dbRestore: ManageCommand = {
  name: "restore",
  summary: "Put a backup of db backup in the place of the database.",
  help: `FILE is the backup's folder, or a file in it. Stop every node first. Refused, with nothing changed, where the data is not what the manifest
says, where the database is not empty (see --replace), while a node is alive (its last heartbeat less than 30 s ago) or another run holds the
lock. Killed in the middle, run it again; until then nodes do not start on what is there, and no other command builds on it. Afterwards every
table is counted, the registry of nodes is empty, and uploads of the backup's time are given up.

Examples:
  glance-manage db restore /var/backups/glance/glance-newton-at-20261123T151206Z
  glance-manage db restore --replace --keep /var/backups/glance /var/backups/glance/glance-newton-at-20261123T151206Z`,
  flags: [
    { flag: "--replace", help: "replace a database that is not empty; it is backed up first" },
    { flag: "--keep <folder>", help: "where that backup goes (default: beside the backup that is restored)" },
    { flag: "--discard", help: "with --replace: make no backup of what is replaced" },
  ],
  positional: ["file"],
  withoutTarget: true,
  async run({ db, config, target, out, engine, flag }) {
    const file = flag<string>("file");
    if (file === undefined) {
      out.error("db restore needs the backup: its folder, or a file in it", { code: "usage" });
      return exitCodes.usage;
    }
    const beside = () => dirname(resolve(readBackup(file).folder));
    const { path, manifest, kept, uploadsCut, warnings } = await restore({
      db,
      databaseUrl: readDatabaseConfig(config).url,
      file,
      replace: flag("replace") === true,
      keepIn: flag("discard") === true ? null : (flag<string>("keep") ?? beside()),
      signal: engine.signal ?? new AbortController().signal,
      on: tellProgress(out),
    });
    for (const text of warnings) out.note(`warning: ${text}`);
    const { revisions, rows, expanded } = manifest;
    out.result(`Restored database to revision(s): ${revisions.join(", ")} (${rows.images ?? 0} images)`, {
      command: "restore",
      path,
      revisions,
      rows,
      kept,
      uploadsCut,
    });
    if (kept !== null) out.note(`what was there before is backed up in ${kept}`);
    if (uploadsCut > 0)
      out.note(
        `${uploadsCut} uploads were under way when it was made: the first node puts these images back to queued`,
      );
    out.note(
      `next: ${expanded === target.id ? "" : `[perennial] release is ${target.id}, the backup is of ${expanded}; `}` +
        "`glance-manage db check`, then start the nodes",
    );
    return exitCodes.ok;
  },
};
