// `db expand`: the first phase.
import { expand } from "../../db/schema/expand.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";
import { dryRunFlag, printPlan } from "./db-plan.ts";

export const dbExpand: ManageCommand = {
  name: "expand",
  summary: "Add what nodes of the target release need. Old nodes go on undisturbed.",
  help: `The first step of an upgrade, run while the fleet serves. No statement makes others wait for more than 200 ms: where a table is in
use, it gives way and tries again, and after --lock-wait-seconds it says who is in the way. Killed or given up, run it again.

Examples:
  glance-manage --config-file /etc/glance/glance-api.conf db expand --to ocata
  glance-manage db expand --dry-run`,
  flags: [...lockFlags, dryRunFlag],
  async run(context) {
    const { out, engine, target } = context;
    if (context.flag("dryRun")) return printPlan(context, ["create", "expand", "indexes"]);
    const { outcome, heads } = await expand(engine);
    const lines = {
      expanded: `Upgraded database to: ${target.heads.expanded ?? target.heads.contracted}, current revision(s): ${heads.join(", ")}`,
      up_to_date: "Database expansion is up to date. No expansion needed.",
      finished: "Database is up to date. No migrations needed.",
    };
    out.result(lines[outcome], { command: "expand", target: target.id, outcome, heads });
    return exitCodes.ok;
  },
};
