// The worker's own prefetching: at its own pace, and at once when something was queued here; one round at a time, and none that holds up a
// process that ends. Every round also removes what dead processes left in the cache.
import { errorText } from "../core/errors.ts";
import { type PrefetchDeps, prefetchQueued } from "./prefetch.ts";

export interface Prefetcher {
  /** Another round begins now, or after the one under way. */
  soon(): void;
  /** Breaks off what is under way. Safe to call twice. */
  stop(): Promise<void>;
}

/** `seconds`: between two rounds; 0: only when told. */
export function startPrefetcher(deps: PrefetchDeps, seconds: number): Prefetcher {
  const stopped = new AbortController();
  let running: Promise<void> | null = null;
  let again = false;

  const rounds = async () => {
    do {
      again = false;
      await round();
    } while (again && !stopped.signal.aborted);
    running = null;
  };

  const round = async () => {
    try {
      await deps.cache.clean();
      const { fetched } = await prefetchQueued(deps, stopped.signal);
      if (fetched.length > 0) deps.logger.info({ images: fetched }, "images were fetched into the cache");
    } catch (error) {
      if (!stopped.signal.aborted)
        deps.logger.error({ error: errorText(error) }, "fetching images into the cache failed; they stay queued");
    }
  };

  const soon = () => {
    again = true;
    if (!stopped.signal.aborted) running ??= rounds();
  };
  // Workers started together drift apart.
  const timer = seconds > 0 ? setInterval(soon, seconds * 1000 * (0.9 + Math.random() * 0.2)).unref() : undefined;

  return {
    soon,
    async stop() {
      clearInterval(timer);
      stopped.abort();
      await running;
    },
  };
}
