// The table that stands in a database while a restore is under way, and stays where one was killed: what is there then is a part of a
// backup, on which no node may run and no phase may build.
import { ServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { presentTables } from "./schema-tools.ts";

export const restoreMarkerTable = "perennial_restore";

export const halfRestoredText =
  "a restore of this database was not finished: run `glance-manage db restore` again (it goes from the start)";

/** Throws schema.out_of_order. */
export async function refuseHalfRestored(db: Database): Promise<void> {
  if (!(await presentTables(db)).has(restoreMarkerTable)) return;
  throw new ServiceError("schema.out_of_order", halfRestoredText, { facts: { marker: restoreMarkerTable } });
}
