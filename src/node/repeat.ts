// Runs a task again and again at its own pace, one run at a time, and survives its failures: a database that is away for
// minutes is logged when it goes and when it comes back, not at every beat.
import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../core/errors.ts";
import type { Stoppable } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";

export interface Repeating extends Stoppable {
  /** Runs the task as soon as the present run is over. */
  soon(): void;
  /** Resolves when no run is under way. */
  idle(): Promise<void>;
}

/**
 * `intervalMs` is asked before every pause, which is shortened or lengthened by up to a tenth so that nodes started together drift apart.
 * The first run starts after the first pause. `stop()` resolves when no run is under way.
 */
export function repeat(options: {
  readonly what: string;
  readonly intervalMs: () => number;
  readonly logger: () => Logger;
  readonly run: () => Promise<void>;
}): Repeating {
  const stopped = new AbortController();
  let hurry = new AbortController();
  let failing = false;
  let running: Promise<void> = Promise.resolve();

  const runOnce = async () => {
    try {
      await options.run();
      if (failing) options.logger().info(`${options.what} works again`);
      failing = false;
    } catch (error) {
      if (!failing) options.logger().error({ error: errorText(error) }, `${options.what} failed; trying on`);
      failing = true;
    }
  };

  const loop = async () => {
    while (!stopped.signal.aborted) {
      const pauseMs = options.intervalMs() * (0.9 + Math.random() * 0.2);
      const signal = AbortSignal.any([stopped.signal, hurry.signal]);
      // An aborted pause is a pause that is over.
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (hurry.signal.aborted) hurry = new AbortController();
      if (stopped.signal.aborted) return;
      running = runOnce();
      await running;
    }
  };

  const done = loop();
  return {
    soon: () => hurry.abort(),
    idle: () => running,
    stop() {
      stopped.abort();
      return done;
    },
  };
}
