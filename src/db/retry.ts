// The one place where database work is made again: after conflicts with others, and after a connection was lost where that is safe.
//
// What may be repeated: a statement or transaction of which the server said that it was not applied (deadlock, lock wait, busy file,
// a table definition that changed), one that never reached the server, and a lone read in any case. A write whose answer was lost may
// have been applied: the driver marks that failure with the fact `outcome: unknown`, and it goes to the caller as it is.
import { type Clock, systemClock } from "../core/clock.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

export type RetryPolicy = {
  /** Tries in all, the first one included. */
  readonly attemptsMax: number;
  /** No new try begins later than this after the first one began. */
  readonly totalMsMax: number;
  /** The first pause is drawn from 0 to this; it doubles with each try ... */
  readonly pauseMsMin: number;
  /** ... up to this. */
  readonly pauseMsMax: number;
};

export const defaultRetryPolicy: RetryPolicy = { attemptsMax: 50, totalMsMax: 30_000, pauseMsMin: 10, pauseMsMax: 500 };

export type RetryOptions = {
  readonly policy: RetryPolicy;
  readonly mayRepeat: (error: unknown) => boolean;
  /** For the log: what is tried. */
  readonly what: string;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock;
  /** 0 to 1. */
  readonly random?: () => number;
};

/** A conflict, or a database that cannot be reached, of which it is known that nothing was applied. */
export function isSafeToRepeat(error: unknown): boolean {
  return isServiceError(error, "db.conflict", "db.unreachable") && error.facts.outcome !== "unknown";
}

/** For lone reads: what came of the statement does not matter. */
export function isSafeToRead(error: unknown): boolean {
  return isServiceError(error, "db.conflict", "db.unreachable");
}

/** Runs `work` until it succeeds, fails for good, or the policy is used up; then its last error is thrown. */
export async function withRetry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, clock = systemClock, random = Math.random } = options;
  const startMs = clock.monotonicMs();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= policy.attemptsMax || !options.mayRepeat(error)) throw error;
      // Full jitter: those who met in a conflict must not meet again.
      const pauseMs = random() * Math.min(policy.pauseMsMax, policy.pauseMsMin * 2 ** (attempt - 1));
      if (clock.monotonicMs() - startMs + pauseMs > policy.totalMsMax) throw error;
      options.logger?.debug(
        { attempt, pauseMs: Math.round(pauseMs), error: errorText(error) },
        `${options.what}: again`,
      );
      await clock.sleep(pauseMs);
    }
  }
}
