// A statement that may fail inside a transaction which goes on all the same.
import type { Dialect, Queryable } from "./database.ts";

/**
 * Runs `work`, one or a few statements of `tx`, such that the transaction lives on when they fail: where a failed statement would
 * take the whole transaction with it, they stand behind a savepoint. Throws what `work` throws, and undoes what it did.
 */
export async function attempt<T>(tx: Queryable, dialect: Dialect, work: () => Promise<T>): Promise<T> {
  if (!dialect.failureEndsTransaction) return await work();
  await tx.run("savepoint attempt");
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // Two steps, as going back to a savepoint keeps it. After a conflict or a lost connection both are refused, with that failure.
    await tx.run("rollback to savepoint attempt");
    await tx.run("release savepoint attempt");
    throw error;
  }
  await tx.run("release savepoint attempt");
  return result;
}
