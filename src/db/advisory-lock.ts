// Work that only one process of the whole fleet may do at a time, guarded by a lock that dies with the process.
import type { Database } from "./database.ts";

/**
 * Runs `work` while this process holds the lock `name` of this database; `lost` aborts if the lock was lost under way, and then `work`
 * must stop at its next safe point. Throws schema.locked where another holds it for longer than `waitMsMax`.
 */
export async function withAdvisoryLock<T>(
  db: Database,
  name: string,
  work: (lost: AbortSignal) => Promise<T>,
  options: { waitMsMax: number },
): Promise<T> {
  const lock = await db.acquireLock(name, options.waitMsMax);
  try {
    return await work(lock.lost);
  } finally {
    await lock.release();
  }
}
