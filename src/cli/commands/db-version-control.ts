// `db version_control`: writes the revision its operator names.
import { versionControl } from "../../db/schema/version-control.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

export const dbVersionControl: ManageCommand = {
  name: "version_control",
  summary: "Put a database with tables but without a revision under version control.",
  help: `Writes the revision and believes you: no table is looked at. Default: liberty, as in Glance. A revision older
than the one that stands there is written as well, with a warning.

Examples:
  glance-manage db version_control --version mitaka02      (a Newton database)`,
  flags: [{ flag: "--version <version>", help: "revision, or the name of a release (default liberty)" }],
  positional: ["version"],
  async run({ out, engine, flag }) {
    const version = flag<string>("version") ?? "liberty";
    const { revision, before, backwards } = await versionControl({ ...engine, version });
    const was = before.join(", ");
    if (backwards)
      out.note(
        `WARNING: the database was at ${was}, which is NEWER than ${revision}. Nodes of newer releases leave, and the next upgrade does again what is ` +
          `done already. Unless this is what you want, put it back: glance-manage db version_control --version ${before[0]}`,
      );
    else if (before.length > 0 && was !== revision)
      out.note(`warning: the database was at ${was} before, by its own account`);
    out.result(`Placed database under migration control at revision: ${revision}`, {
      command: "version_control",
      revision,
      before,
      backwards,
    });
    return exitCodes.ok;
  },
};
