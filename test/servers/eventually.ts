// Waiting for a foreign process that has no event to wait on: asks again and again, for a bounded time.
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Polls `probe` until it gives something other than undefined or false, and returns that. Throws after `msMax`, naming `what` and
 * the last error of a probe that threw.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { msMax?: number; everyMs?: number } = {},
): Promise<T> {
  const msMax = options.msMax ?? 60_000;
  const deadline = performance.now() + msMax;
  for (;;) {
    let failure: unknown;
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${msMax} ms in vain: ${what}`, { cause: failure });
    await sleep(options.everyMs ?? 20);
  }
}
