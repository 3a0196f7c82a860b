// Runs one DDL statement so that it never queues others for long. While DDL waits for a metadata lock, every later statement on the
// table waits behind it; so a second connection watches ours, and interrupts it once it has waited for the limit. That works at the
// start of a statement and at the end of an in-place rebuild, on MySQL and MariaDB; lock_wait_timeout is the net below.
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../database.ts";
import { errnoOf } from "../driver-error.ts";
import type { GuardedResult } from "../polite-ddl.ts";

/** The net below the guard, the least that every server takes. */
export const lockWaitSeconds = 1;
const pollMs = 15;
/** From the sight of a wait to the end of it: one poll and the way of the KILL. */
const reactionMs = 70;

/** Attempts that do not wait at all, and the pause between two. */
const quickAttempts = 40;
const quickPauseMs = 8;

/** Interrupted, lock wait timeout, deadlock, statement time limit: the statement changed nothing and may be tried again. */
const gaveWayErrnos: ReadonlySet<number> = new Set([1317, 1205, 1213, 1969, 3024]);

/**
 * Runs `sql` on `session`; gives way when it would make others wait for longer than `lockWaitMsMax`. Errors of the statement itself
 * pass through.
 */
export async function runGuarded(
  session: Session,
  watcher: Session,
  sql: string,
  lockWaitMsMax: number,
): Promise<GuardedResult> {
  const watch = watchWait(session, watcher, Math.max(lockWaitMsMax - reactionMs, pollMs));
  try {
    await session.run(sql);
    return { outcome: "done" };
  } catch (error) {
    if (!gaveWayErrnos.has(errnoOf(error) ?? 0)) throw error;
    return { outcome: "gave_way", waitedMs: watch.waitedMs() };
  } finally {
    await watch.stop();
    // A KILL that came when the statement had just ended would hit the next one: this one takes it.
    if (watch.killed()) await session.run("DO 0").catch(passInterruption);
  }
}

/**
 * Tries the statement without waiting: it succeeds in a moment when nobody uses the table, stalls nobody, and cannot meet a transaction
 * in a deadlock, which the transaction would lose. For statements that take milliseconds, on servers that know a wait of 0 (MariaDB).
 */
export async function tryWithoutWaiting(session: Session, sql: string): Promise<boolean> {
  await session.run("SET SESSION lock_wait_timeout = 0");
  try {
    for (let attempt = 1; attempt <= quickAttempts; attempt++) {
      try {
        await session.run(sql);
        return true;
      } catch (error) {
        if (!gaveWayErrnos.has(errnoOf(error) ?? 0)) throw error;
      }
      await sleep(quickPauseMs * (0.5 + Math.random()));
    }
    return false;
  } finally {
    // A lost connection has lost its settings, too.
    await session.run(`SET SESSION lock_wait_timeout = ${lockWaitSeconds}`).catch(() => undefined);
  }
}

function passInterruption(error: unknown): void {
  if (errnoOf(error) !== 1317) throw error;
}

function watchWait(session: Session, watcher: Session, limitMs: number) {
  const ended = new AbortController();
  let waitingSinceMs: number | null = null;
  let waitedMs = 0;
  let killed = false;
  const watching = (async () => {
    for (;;) {
      await sleep(pollMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
      const [row] = await watcher.query<{ state: string | null }>(
        `SELECT state AS state FROM information_schema.processlist WHERE id = ${session.connectionId}`,
      );
      // "Waiting for table metadata lock", "... table flush", "... global read lock", "... backup lock", per server.
      const waiting = /^Waiting for /i.test(row?.state ?? "");
      const nowMs = performance.now();
      if (!waiting) waitingSinceMs = null;
      else waitingSinceMs ??= nowMs;
      if (waitingSinceMs === null) continue;
      waitedMs = nowMs - waitingSinceMs;
      if (waitedMs < limitMs || ended.signal.aborted) continue;
      killed = true;
      await watcher.run(`KILL QUERY ${session.connectionId}`);
      waitingSinceMs = null;
    }
  })();
  // Awaited in stop(); until then a failure must not end the process.
  watching.catch(() => undefined);
  return {
    waitedMs: () => Math.round(waitedMs),
    killed: () => killed,
    async stop() {
      ended.abort();
      await watching;
    },
  };
}
