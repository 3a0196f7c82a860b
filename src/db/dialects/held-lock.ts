// A named lock that a connection of its own holds: watched while it is held, lost with the connection, given back by a statement.
import { ServiceError } from "../../core/errors.ts";
import type { AdvisoryLock } from "../database.ts";
import type { PoolableConnection } from "./connection-pool.ts";

/** Often enough that neither the server nor a firewall between takes the connection for forgotten, and that a loss shows. */
const checkEveryMs = 5_000;

/** For a lock that `connection` has just taken; it ends with the lock. `unlock`: the statement that frees it. */
export function heldLock(
  connection: PoolableConnection & { destroy(): void },
  name: string,
  unlock: () => Promise<unknown>,
): AdvisoryLock {
  // isAlive destroys a connection that does not answer, and that aborts `gone`.
  const checks = setInterval(() => void connection.isAlive(), checkEveryMs).unref();
  const lost = new AbortController();
  let released = false;
  const onGone = () => {
    clearInterval(checks);
    if (!released) lost.abort(new ServiceError("db.unreachable", `the lock ${name} was lost with its connection`));
  };
  if (connection.gone.aborted) onGone();
  else connection.gone.addEventListener("abort", onGone, { once: true });
  return {
    lost: lost.signal,
    async release() {
      if (released) return;
      released = true;
      clearInterval(checks);
      // Asked for, not left to the end of the connection: who waits for the lock gets it before this returns.
      if (!connection.gone.aborted) await unlock().catch(() => connection.destroy());
      connection.end();
    },
  };
}
