// What a schema change costs on a server, as classes that a plan can show.

/**
 * `instant`: milliseconds at any size. `index_build`, `scan` (reads every row), `switch` (batches of rows, then index builds), `rebuild`:
 * grow with the table, others write on. `locked_scan`: reads every row while everybody waits. `copy`: writes wait for a whole copy.
 */
export type Cost = "instant" | "scan" | "index_build" | "switch" | "rebuild" | "locked_scan" | "copy";

/** Cheapest first. */
export const dearness: readonly Cost[] = ["instant", "scan", "index_build", "switch", "rebuild", "locked_scan", "copy"];
