// `db sync`: all phases at once, for a database nobody serves from.
import { sync } from "../../db/schema/sync.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";

export const dbSync: ManageCommand = {
  name: "sync",
  summary: "Create a fresh database, or bring one nobody serves from to the target release.",
  help: `Expand, migrate and contract at once, without the triggers of a mixed fleet. Refused while a node is alive. A VERSION is taken and
has no effect, as in Glance since Queens; the release comes from --to or [perennial] release.

Examples:
  glance-manage db sync
  glance-manage db sync --to newton`,
  flags: [...lockFlags, { flag: "--version <version>", help: "has no effect" }],
  positional: ["version"],
  async run({ out, engine, target }) {
    const { outcome, heads } = await sync(engine);
    const line =
      outcome === "synced" ? "Database is synced successfully." : "Database is up to date. No migrations needed.";
    out.result(line, { command: "sync", target: target.id, outcome, heads });
    return exitCodes.ok;
  },
};
