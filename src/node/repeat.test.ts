import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../core/logger.ts";
import { repeat } from "./repeat.ts";

test("repeat: failures are logged once when they begin and once when they end, and the task goes on", async () => {
  const logged: string[] = [];
  const logger = Object.assign(Object.create(silentLogger), {
    error: (_facts: unknown, text: string) => logged.push(text),
    info: (text: string) => logged.push(text),
  });
  const enough = Promise.withResolvers<void>();
  let runs = 0;
  const repeating = repeat({
    what: "heartbeat",
    intervalMs: () => 1,
    logger: () => logger,
    run: async () => {
      runs++;
      if (runs <= 3) throw new Error("the database is away");
      if (runs === 6) enough.resolve();
    },
  });
  await enough.promise;
  await repeating.stop();
  assert.deepEqual(logged, ["heartbeat failed; trying on", "heartbeat works again"]);
});

test("repeat: soon() does not wait for the pause, and stop() waits for the run under way", async () => {
  const began = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let ended = false;
  const repeating = repeat({
    what: "task",
    intervalMs: () => 3_600_000,
    logger: () => silentLogger,
    run: async () => {
      began.resolve();
      await finish.promise;
      ended = true;
    },
  });
  repeating.soon();
  await began.promise;
  const stopped = repeating.stop();
  finish.resolve();
  await stopped;
  assert(ended);
  await repeating.stop();
});
