// `db migrate`: the second phase.
import type { BackfillLimits } from "../../db/schema/backfill-limits.ts";
import { migrate } from "../../db/schema/migrate.ts";
import { exitCodes } from "../exit-codes.ts";
import { type ManageCommand, wholeNumber } from "../manage-command.ts";
import { dryRunFlag, printPlan } from "./db-plan.ts";

const limitByFlag = {
  maxRows: "rowsMax",
  maxSeconds: "secondsMax",
  batchRows: "batchRows",
  targetMs: "targetMs",
  maxThreadsRunning: "threadsRunningMax",
} as const satisfies Record<string, keyof BackfillLimits>;

export const dbMigrate: ManageCommand = {
  name: "migrate",
  summary: "Fill in the data the target release reads.",
  help: `The second step of an upgrade, run while the fleet serves, after db expand and before the first new node. Works in batches of short
transactions, waits for nobody's row, and slows down for a busy server. Killed or limited, run it again: it goes on from its last batch.
Rows that nodes have written since db expand are left as they are.

Examples:
  glance-manage db migrate
  glance-manage db migrate --max-seconds 600 --target-ms 20`,
  flags: [
    { flag: "--max-rows <n>", help: "stop after about this many rows", parse: wholeNumber(1) },
    { flag: "--max-seconds <n>", help: "stop after this time", parse: wholeNumber(1) },
    {
      flag: "--batch-rows <n>",
      help: "rows of the first batch (default 200); later ones adapt",
      parse: wholeNumber(1),
    },
    { flag: "--target-ms <n>", help: "what one batch should take (default 50)", parse: wholeNumber(1) },
    {
      flag: "--max-threads-running <n>",
      help: "wait while the server runs more statements than this at once (default 24)",
      parse: wholeNumber(1),
    },
    dryRunFlag,
  ],
  async run(context) {
    const { out, engine, target } = context;
    if (context.flag("dryRun")) return printPlan(context, ["migrate"]);
    const backfill: { -readonly [K in keyof BackfillLimits]?: number } = {};
    for (const [flag, limit] of Object.entries(limitByFlag)) {
      const value = context.flag<number>(flag);
      if (value !== undefined) backfill[limit] = value;
    }
    const { outcome, rows, complete } = await migrate({ ...engine, backfill });
    const lines = {
      migrated: `Migrated ${rows} rows`,
      up_to_date: "Database migration is up to date. No migration needed.",
      finished: "Database is up to date. No migrations needed.",
    };
    out.result(lines[outcome], { command: "migrate", target: target.id, outcome, rows, complete });
    if (!complete) out.note("rows are left: run `glance-manage db migrate` again");
    return exitCodes.ok;
  },
};
