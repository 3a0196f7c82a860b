// For the one statement at the end of hours of work: a database that is away for a moment must not undo them.
import type { Clock } from "../../core/clock.ts";
import { isServiceError } from "../../core/errors.ts";

const attemptsMax = 4;
const retryMs = 1_000;

/** `repeated`: an earlier attempt failed without saying whether it was done. Throws what the last attempt throws. */
export async function persistently<T>(
  { clock }: { readonly clock: Clock },
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly repeated: boolean }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { result: await work(), repeated: attempt > 1 };
    } catch (error) {
      if (!isServiceError(error, "db.unreachable", "db.conflict") || attempt === attemptsMax) throw error;
      await clock.sleep(retryMs);
    }
  }
}
