import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../core/clock.ts";
import { ServiceError } from "../core/errors.ts";
import { isSafeToRead, isSafeToRepeat, type RetryOptions, withRetry } from "./retry.ts";

/** Time passes only in pauses. */
function pausedClock(): Clock & { readonly pausesMs: number[] } {
  const pausesMs: number[] = [];
  const nowMs = () => pausesMs.reduce((sum, ms) => sum + ms, 0);
  return {
    pausesMs,
    nowMs,
    monotonicMs: nowMs,
    sleep: async (ms) => {
      pausesMs.push(ms);
    },
  };
}

const conflict = new ServiceError("db.conflict", "deadlock");
const options = (changes: Partial<RetryOptions> = {}): RetryOptions => ({
  policy: { attemptsMax: 5, totalMsMax: 10_000, pauseMsMin: 10, pauseMsMax: 50 },
  mayRepeat: isSafeToRepeat,
  what: "test",
  random: () => 1,
  ...changes,
});

test("retry: conflicts are tried again with growing pauses, until it works", async () => {
  const clock = pausedClock();
  const result = await withRetry(async (attempt) => {
    if (attempt < 5) throw conflict;
    return attempt;
  }, options({ clock }));
  assert.equal(result, 5);
  assert.deepEqual(clock.pausesMs, [10, 20, 40, 50]);
});

test("retry: bounded in tries and in time, and the last error is what the caller gets", async () => {
  const tries = async (changes: Partial<RetryOptions>) => {
    let attempts = 0;
    const failing = withRetry(
      async () => {
        attempts++;
        throw conflict;
      },
      options({ clock: pausedClock(), ...changes }),
    );
    await assert.rejects(failing, conflict);
    return attempts;
  };
  assert.equal(await tries({}), 5);
  assert.equal(await tries({ policy: { attemptsMax: 1_000, totalMsMax: 100, pauseMsMin: 10, pauseMsMax: 10 } }), 11);
  assert.equal(await tries({ mayRepeat: () => false }), 1);
});

test("retry: what may have been applied is repeated only if it is a read", () => {
  const lost = new ServiceError("db.unreachable", "lost", { facts: { outcome: "unknown" } });
  const refused = new ServiceError("db.unreachable", "refused");
  const duplicate = new ServiceError("db.duplicate", "twice");
  assert.deepEqual([conflict, refused, lost, duplicate, new Error("bug")].map(isSafeToRepeat), [
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.deepEqual([conflict, refused, lost, duplicate, new Error("bug")].map(isSafeToRead), [
    true,
    true,
    true,
    false,
    false,
  ]);
});
