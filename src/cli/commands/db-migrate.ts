// `db migrate`: the second phase, and how one that runs is paused, resumed and slowed.

import { migrate } from "../../db/schema/migrate.ts";
import { type AdjustableLimits, controlMigration } from "../../db/schema/migrate-controls.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import type { ManageCommand, ManageContext } from "../manage-command.ts";
import { dryRunFlag, printPlan } from "./db-plan.ts";
import { changesText, limitOptions, limitsFrom, parseChanges } from "./migrate-limits.ts";
import { withReplicas } from "./migrate-replicas.ts";

export const dbMigrate: ManageCommand = {
  name: "migrate",
  summary: "Fill in the data the target release reads.",
  help: `The second step of an upgrade, run while the fleet serves, after db expand and before the first new node. Works in batches of short
transactions and waits for nobody's row. Killed or limited, run it again: it goes on from its last batch. Rows that nodes have written
since db expand are left as they are.

It is held back, and says why, while the server, a replica or a node has too much to do; but never for good: after three seconds one
batch is done all the same. --pause stops it before its next batch, from any host, and holds until --resume, also for later runs.
--set changes limits of the one that runs; they end with it.

Examples:
  glance-manage db migrate
  glance-manage db migrate --max-seconds 600 --target-ms 20 --max-p99-ms 400
  glance-manage db migrate --replica mysql://glance:password@replica1/glance
  glance-manage db migrate --pause          (from another terminal, while it runs)
  glance-manage db migrate --set target-ms=10,max-threads-running=12
  glance-manage db migrate --resume`,
  flags: [
    ...limitOptions,
    {
      flag: "--replica <url>",
      help: "a server that copies this one, by its URL: its lag is watched; may be repeated",
      parse: (text, previous) => [...(Array.isArray(previous) ? previous : []), text],
    },
    { flag: "--pause", help: "let the running data migration, and later ones, wait" },
    { flag: "--resume", help: "let it go on" },
    {
      flag: "--set <limits>",
      help: "change limits of the one that runs: NAME=N,... as the options above",
      parse: parseChanges,
    },
    dryRunFlag,
  ],
  async run(context) {
    if (context.flag("dryRun")) return printPlan(context, ["migrate"]);
    if (context.flag("pause") || context.flag("resume") || context.flag("set")) return control(context);
    const { out, engine, target, config } = context;
    const backfill = limitsFrom((name) => context.flag<number>(name));
    const urls = context.flag<readonly string[]>("replica") ?? [];
    const { outcome, rows, complete } = await withReplicas(urls, config, (replicas) =>
      migrate({ ...engine, backfill, replicas }),
    );
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

/** Changes what a running data migration reads about once a second; needs no engine lock. */
async function control({ db, out, flag }: ManageContext): Promise<ExitCode> {
  if (flag("pause") && flag("resume")) {
    out.error("db migrate takes --pause or --resume, not both", { code: "usage" });
    return exitCodes.usage;
  }
  const limits = flag<AdjustableLimits>("set");
  const paused = flag("pause") ? { paused: true } : flag("resume") ? { paused: false } : {};
  const now = await controlMigration(db, { ...paused, ...(limits ? { limits } : {}) });
  const state = now.paused
    ? "Data migration is paused: it waits before its next batch until `glance-manage db migrate --resume`."
    : "Data migration is not paused.";
  const changed = changesText(now.limits);
  out.result([state, ...(changed === "" ? [] : [`Limits changed for the one that runs: ${changed}`])], {
    command: "migrate",
    outcome: "told",
    ...now,
  });
  return exitCodes.ok;
}
