// The tables of glance-rollout. They are apart from those that nodes use, so that a node's database user need not be able to make them:
// the rollout makes them itself, with the rights it needs for the schema anyway.
import type { TableDefinition } from "./table-definition.ts";

export const rolloutTables: readonly TableDefinition[] = [
  {
    // One row an entry, never changed and never removed. `entry` is the line as it stands on disk, in ASCII.
    name: "perennial_rollout_journal",
    columns: [
      ["rollout_id", "varchar(160)", "required"],
      ["seq", "int", "required"],
      ["hash", "varchar(64)", "required"],
      ["entry", "text", "required"],
    ],
    primaryKey: ["rollout_id", "seq"],
  },
  {
    // Who may act on the fleet. `fence` rises with every new holder, `renewals` with every sign of life.
    name: "perennial_rollout_lease",
    columns: [
      ["name", "varchar(64)", "required"],
      ["fence", "bigint", "required"],
      ["renewals", "bigint", "required"],
      ["holder", "varchar(36)", "required"],
      ["process", "varchar(255)", "required"],
      ["told", "varchar(255)", "required"],
      ["expires_at", "datetime", "required"],
    ],
    primaryKey: ["name"],
  },
  {
    // What an operator asks of the rollout from any host.
    name: "perennial_rollout_requests",
    columns: [
      ["name", "varchar(64)", "required"],
      ["request", "varchar(16)", "required"],
      ["told", "varchar(255)", "required"],
      ["asked_at", "datetime", "required"],
    ],
    primaryKey: ["name"],
  },
  {
    // The plan that was looked at last, in parts that fit a text column everywhere.
    name: "perennial_rollout_plans",
    columns: [
      ["name", "varchar(64)", "required"],
      ["part", "int", "required"],
      ["plan_id", "varchar(36)", "required"],
      ["body", "text", "required"],
    ],
    primaryKey: ["name", "part"],
  },
  {
    // What a rollout saw of the fleet every couple of seconds, thinned as it grows older. A body too long for a text column is in parts.
    name: "perennial_rollout_samples",
    columns: [
      ["rollout_id", "varchar(160)", "required"],
      ["kind", "varchar(16)", "required"],
      ["seq", "bigint", "required"],
      ["part", "int", "required"],
      ["at_ms", "bigint", "required"],
      ["body", "text", "required"],
    ],
    primaryKey: ["rollout_id", "kind", "seq", "part"],
  },
  {
    // Nodes of Glance that a rollout has seen alive and not yet gone: contract is not run under them.
    name: "perennial_rollout_glance",
    columns: [
      ["name", "varchar(255)", "required"],
      ["address", "varchar(255)", "required"],
      ["release_id", "varchar(32)", "required"],
      ["told", "varchar(255)", "required"],
      ["seen_at", "datetime", "required"],
    ],
    primaryKey: ["name"],
  },
];
