// What a change means to those who work on its table: the lock it takes, whether waiting for that lock holds others up, and its cost.
import type { Cost } from "../cost.ts";
import type { Change } from "../step.ts";
import { type PostgresqlServer, takesProofs } from "./server.ts";

/** As pg_locks calls it. */
export type LockMode = "AccessExclusiveLock" | "ShareRowExclusiveLock" | "ShareLock" | "ShareUpdateExclusiveLock";

const always = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"];

/** The modes in which others make a request for the mode wait. */
export const conflictingModes: Readonly<Record<LockMode, readonly string[]>> = {
  AccessExclusiveLock: ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", ...always],
  ShareRowExclusiveLock: ["RowExclusiveLock", "ShareUpdateExclusiveLock", ...always],
  ShareLock: ["RowExclusiveLock", "ShareUpdateExclusiveLock", ...always.filter((mode) => mode !== "ShareLock")],
  ShareUpdateExclusiveLock: ["ShareUpdateExclusiveLock", ...always],
};

export type DdlClass = {
  readonly lock: LockMode;
  /** Readers and writers pass while it waits and while it works, so it may take its time. */
  readonly patient: boolean;
  readonly cost: Cost;
};

const instant: DdlClass = { lock: "AccessExclusiveLock", patient: false, cost: "instant" };

export function classOf(change: Change, server: PostgresqlServer): DdlClass {
  if (change.do === "build_index") return { lock: "ShareLock", patient: true, cost: "index_build" };
  if (change.do === "drop_index") return { lock: "AccessExclusiveLock", patient: true, cost: "instant" };
  if (change.do !== "statement") throw new TypeError("PostgreSQL changes tables by statements of its own");
  // VALIDATE CONSTRAINT, and statements on rows.
  if (change.kind === "rows") return { lock: "ShareUpdateExclusiveLock", patient: true, cost: "scan" };
  if (/ SET NOT NULL$/.test(change.sql) && !takesProofs(server)) return { ...instant, cost: "locked_scan" };
  if (/^CREATE TRIGGER /.test(change.sql)) return { ...instant, lock: "ShareRowExclusiveLock" };
  return instant;
}
