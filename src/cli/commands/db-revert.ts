// `db revert`: takes an expand back.
import { revert } from "../../db/schema/revert.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";

export const dbRevert: ManageCommand = {
  name: "revert",
  summary: "Take an expand back, as long as contract has not begun.",
  help: `Needs --to, and every node back at that release. Images that only the newer release can tell apart (community, shared, private)
are then public or not.

Examples:
  glance-manage db revert --to newton`,
  flags: lockFlags,
  async run({ out, engine, target, flag }) {
    if (flag("to") === undefined) {
      out.error("db revert needs --to: the release to go back to", { code: "usage" });
      return exitCodes.usage;
    }
    const { outcome, heads } = await revert(engine);
    const line =
      outcome === "reverted"
        ? `Reverted database to: ${target.heads.contracted}, current revision(s): ${heads.join(", ")}`
        : "Database is up to date. Nothing to revert.";
    out.result(line, { command: "revert", target: target.id, outcome, heads });
    return exitCodes.ok;
  },
};
