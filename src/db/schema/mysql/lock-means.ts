// What MySQL and MariaDB can do for polite schema changes: tries with a lock wait of 0, the lock guard, and what they tell of blockers.
import type { Session } from "../../database.ts";
import type { LockLimits } from "../executor.ts";
import type { LockMeans } from "../polite-ddl.ts";
import { lockHolders, longTransactions } from "./blockers.ts";
import { runGuarded, tryWithoutWaiting } from "./lock-guard.ts";

/** `knowsNoWait`: the server takes a lock_wait_timeout of 0. */
export function mysqlLockMeans(
  session: Session,
  watcher: Session,
  limits: LockLimits,
  knowsNoWait: boolean,
): LockMeans {
  const ownIds = [session.connectionId, watcher.connectionId];
  return {
    tryWithoutWaiting: knowsNoWait ? ({ sql }) => tryWithoutWaiting(session, sql) : null,
    runGuarded: ({ sql }) => runGuarded(session, watcher, sql, limits.lockWaitMsMax),
    async blockers({ table }, seconds) {
      const holders = (await lockHolders(watcher, table, ownIds)).filter((one) => one.seconds >= seconds);
      return holders.length > 0 ? holders : ((await longTransactions(watcher, seconds, ownIds)) ?? []);
    },
    // Where the server does not tell who holds the table, any long transaction may.
    blockersAreCertain: false,
  };
}
