// How a node leaves without dropping a request.
//
//   serving --TERM--> settling --settle time over--> closing --nobody listens--> finishing --last transfer through--> stopped
//                         |                             |                           |
//                         `------------ second TERM, QUIT, deadline ---------------------> cutting --workers gone--> stopped
//
// settling   The health check fails, every response closes its connection, and new connections are still served: balancers
//            notice in their own time, and until then nobody may be refused.
// closing    The supervisor gives up the socket first and the workers last, since the kernel resets connections that wait
//            in the queue when the last holder closes.
// finishing  Requests on open connections are served, transfers go on for as long as they take, or up to the deadline.
// cutting    What still runs is given up cleanly: images return to `queued`.
import type { Clock } from "../core/clock.ts";

export type DrainPhase = "settling" | "closing" | "finishing" | "cutting";

export interface DrainSteps {
  /** Fails the health check and closes connections after their responses. */
  settle(): void;
  /** Resolves when nobody listens any more. */
  close(): Promise<void>;
  /** Resolves when every worker is gone; asked for after close or cut. */
  ended(): Promise<void>;
  cut(): void;
  /** Ends workers that do not even give up. */
  kill(): void;
}

export type DrainOptions = {
  readonly settleMs: number;
  /** From the closing of the listener; 0: no deadline. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Aborts when the operator wants the node gone at once. */
  readonly atOnce: AbortSignal;
  readonly onPhase: (phase: DrainPhase) => void;
};

/** Workers take 3 s at most to give up and 5 s to close their service; then they are ended. */
const cutMsMax = 10_000;

/** Resolves when the node has left: `finished` where everything was served to its end, `cut` where it was not waited for. */
export async function drain(steps: DrainSteps, options: DrainOptions): Promise<"finished" | "cut"> {
  const { clock, atOnce } = options;
  options.onPhase("settling");
  steps.settle();
  await pause(clock, options.settleMs, atOnce);
  if (atOnce.aborted) return cut(steps, options);

  options.onPhase("closing");
  const closed = steps.close();
  await Promise.race([closed, aborted(atOnce)]);
  if (atOnce.aborted) return cut(steps, options);

  options.onPhase("finishing");
  const late = new AbortController();
  const enough = AbortSignal.any([atOnce, late.signal]);
  const over = new AbortController();
  if (options.deadlineMs > 0) void pause(clock, options.deadlineMs, over.signal).then(() => late.abort());
  const ended = steps.ended().then(() => "ended" as const);
  const outcome = await Promise.race([ended, aborted(enough)]);
  over.abort();
  return outcome === "ended" ? "finished" : cut(steps, options);
}

async function cut(steps: DrainSteps, options: DrainOptions): Promise<"cut"> {
  options.onPhase("cutting");
  steps.cut();
  const over = new AbortController();
  const ended = steps.ended().then(() => "ended" as const);
  const outcome = await Promise.race([ended, pause(options.clock, cutMsMax, over.signal)]);
  over.abort();
  if (outcome !== "ended") steps.kill();
  await ended;
  return "cut";
}

/** A pause that ends early, without failing, when the signal aborts. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
