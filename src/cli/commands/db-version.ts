// `db version`: which revisions the database shows.
import { readVersion } from "../../db/schema/check.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

export const dbVersion: ManageCommand = {
  name: "version",
  summary: "Print the current revision(s) of the database.",
  help: "One line per revision. Changes nothing.",
  flags: [],
  async run({ db, out }) {
    const { heads, legacy } = await readVersion(db);
    const hint =
      'Database is either not under migration control or under legacy migration control, please run "glance-manage db sync" to place the database under alembic migration control.';
    out.result(heads.length > 0 && !legacy ? heads : hint, { command: "version", heads, legacy });
    return exitCodes.ok;
  },
};
