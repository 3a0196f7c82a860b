// A limit on how long a call to the outside may take, whatever the other side does.
import { type Clock, systemClock } from "../core/clock.ts";
import { type ErrorCode, ServiceError } from "../core/errors.ts";

/** Runs `work` with a signal that aborts after `msMax`, and does not wait any longer for it either. `what` opens the error's text. */
export async function withDeadline<T>(
  what: string,
  msMax: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  code: ErrorCode = "rollout.driver_failed",
  clock: Clock = systemClock,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const over = new AbortController();
  const late = Promise.withResolvers<never>();
  const fail = (error: unknown) => {
    limit.abort(error);
    late.reject(error);
  };
  clock.sleep(msMax, over.signal).then(
    () => fail(new ServiceError(code, `${what} took longer than ${msMax / 1000} s`)),
    () => undefined,
  );
  const onAbort = () => fail(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(limit.signal), late.promise]);
  } finally {
    // With a reason, which saves an exception with its stack each time.
    over.abort("over");
    signal.removeEventListener("abort", onAbort);
  }
}
