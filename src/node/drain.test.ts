import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../core/clock.ts";
import { type DrainPhase, type DrainSteps, drain } from "./drain.ts";

/** A clock that tests push on. */
class HeldClock implements Clock {
  #nowMs = 0;
  #sleepers: { untilMs: number; wake: () => void }[] = [];

  nowMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.push({ untilMs: this.#nowMs + ms, wake: resolve });
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers) if (sleeper.untilMs <= this.#nowMs) sleeper.wake();
    await settled();
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function scene(options: { settleMs?: number; deadlineMs?: number } = {}) {
  const log: string[] = [];
  const clock = new HeldClock();
  const now = new AbortController();
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const steps: DrainSteps = {
    settle: () => void log.push("settle"),
    close: () => {
      log.push("close");
      return closed.promise;
    },
    ended: () => ended.promise,
    cut: () => void log.push("cut"),
    kill: () => {
      log.push("kill");
      ended.resolve();
    },
  };
  const phases: DrainPhase[] = [];
  const outcome = drain(steps, {
    settleMs: options.settleMs ?? 10_000,
    deadlineMs: options.deadlineMs ?? 0,
    clock,
    atOnce: now.signal,
    onPhase: (phase) => phases.push(phase),
  });
  return { log, clock, now, closed, ended, phases, outcome };
}

test("drain: connections are taken until the settle time is over, then transfers are waited for without limit", async () => {
  const { log, clock, closed, ended, phases, outcome } = scene();
  await clock.pass(9_999);
  assert.deepEqual(log, ["settle"]);
  await clock.pass(1);
  assert.deepEqual(log, ["settle", "close"]);
  closed.resolve();
  await settled();
  await clock.pass(86_400_000);
  assert.deepEqual(phases, ["settling", "closing", "finishing"]);
  ended.resolve();
  assert.equal(await outcome, "finished");
  assert.deepEqual(log, ["settle", "close"]);
});

test("drain: the deadline counts from the closing of the listener, and then cuts", async () => {
  const { log, clock, closed, ended, outcome } = scene({ deadlineMs: 5_000 });
  await clock.pass(10_000);
  closed.resolve();
  await settled();
  await clock.pass(4_999);
  assert.deepEqual(log, ["settle", "close"]);
  await clock.pass(1);
  assert.deepEqual(log, ["settle", "close", "cut"]);
  ended.resolve();
  assert.equal(await outcome, "cut");
});

for (const phase of ["settling", "closing", "finishing"] as const)
  test(`drain: told to leave at once while ${phase}, it cuts, and kills who does not even give up`, async () => {
    const { log, clock, now, closed, phases, outcome } = scene();
    if (phase !== "settling") await clock.pass(10_000);
    if (phase === "finishing") closed.resolve();
    await settled();
    assert.equal(phases.at(-1), phase);
    now.abort();
    await settled();
    assert.equal(log.at(-1), "cut");
    await clock.pass(10_000);
    assert.equal(log.at(-1), "kill");
    assert.equal(await outcome, "cut");
  });
