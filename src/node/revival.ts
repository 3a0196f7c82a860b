// Starts the node again where the process that took over is dead and its predecessor, this process, still finishes transfers. The new one takes
// over as in any hand-over, so that it waits for this process in its turn when it is told to leave.
import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { bindSocketAfterOrphans, type ListenSocket } from "./listen-socket.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { Successor } from "./successor.ts";

/** As the unit's RestartSec; longer from time to time, since what kills each one at its start seldom goes away by itself. */
const pauseMsMin = 2_000;
const pauseMsMax = 60_000;

type RevivalOptions = {
  /** Where the node served. This process has given its own hold up. */
  readonly socket: Pick<ListenSocket, "host" | "port">;
  readonly settings: Pick<NodeSettings, "handOverMsMax">;
  readonly start: (socket: ListenSocket) => Successor;
  readonly logger: Logger;
};

/** Tries until one serves. Undefined where `signal` aborts before; then nothing that was started lives on. */
export async function revive(options: RevivalOptions, signal: AbortSignal): Promise<Successor | undefined> {
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  for (let pauseMs = pauseMsMin; !signal.aborted; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
    let socket: ListenSocket | undefined;
    let successor: Successor | undefined;
    try {
      await delay(pauseMs, undefined, { signal });
      socket = await bindSocketAfterOrphans(options.socket);
      successor = options.start(socket);
      await Promise.race([successor.ready(options.settings.handOverMsMax), aborted.promise]);
      successor.send({ do: "serve" });
      await successor.serving();
      socket.leaveToOther();
      return successor;
    } catch (error) {
      await successor?.kill();
      socket?.close();
      if (!signal.aborted) options.logger.error({ error: errorText(error) }, "the node could not be started again yet");
    }
  }
  return undefined;
}
