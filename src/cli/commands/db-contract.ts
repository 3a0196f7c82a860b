// `db contract`: the last phase.
import { contract } from "../../db/schema/contract.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";
import { dryRunFlag, printPlan } from "./db-plan.ts";

export const dbContract: ManageCommand = {
  name: "contract",
  summary: "Remove what only older releases use. Cannot be undone.",
  help: `The last step of an upgrade, run while the fleet serves, when no older node runs anywhere. Refused, with nothing changed, while data is
pending, while an older node is alive (its last heartbeat less than 30 s ago), or where a row would lose something. Glance's own nodes
register nowhere: connections from hosts without a registered node are reported. Killed or given up, run it again.

Examples:
  glance-manage db contract --to ocata
  glance-manage db contract --dry-run`,
  flags: [...lockFlags, dryRunFlag],
  async run(context) {
    const { out, engine, target } = context;
    if (context.flag("dryRun")) return printPlan(context, ["contract", "indexes"]);
    const { outcome, heads, rowsVerified } = await contract(engine);
    const line =
      outcome === "finished"
        ? "Database is up to date. No migrations needed."
        : `Upgraded database to: ${target.heads.contracted}, current revision(s): ${heads.join(", ")}`;
    out.result(line, { command: "contract", target: target.id, outcome, heads, rowsVerified });
    return exitCodes.ok;
  },
};
