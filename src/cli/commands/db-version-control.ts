// `db version_control`: writes the revision its operator names.
import { versionControl } from "../../db/schema/version-control.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

export const dbVersionControl: ManageCommand = {
  name: "version_control",
  summary: "Put a database with tables but without a revision under version control.",
  help: `Writes the revision and believes you: no table is looked at. Default: liberty, as in Glance.

Examples:
  glance-manage db version_control --version mitaka02      (a Newton database)`,
  flags: [{ flag: "--version <version>", help: "revision, or the name of a release (default liberty)" }],
  positional: ["version"],
  async run({ out, engine, flag }) {
    const { revision, before } = await versionControl({ ...engine, version: flag<string>("version") ?? "liberty" });
    if (before.length > 0 && before.join() !== revision)
      out.note(`warning: the database was at ${before.join(", ")} before, by its own account`);
    out.result(`Placed database under migration control at revision: ${revision}`, {
      command: "version_control",
      revision,
      before,
    });
    return exitCodes.ok;
  },
};
