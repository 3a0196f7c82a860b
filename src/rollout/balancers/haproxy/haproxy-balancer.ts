// The balancer driver `haproxy`: states are set and read back through the Runtime API. HAProxy forgets them when it is reloaded (unless
// it has a state file), so nothing is remembered here.
import type { Clock } from "../../../core/clock.ts";
import { ServiceError } from "../../../core/errors.ts";
import type { HaproxyAt } from "../../fleet.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import { askHaproxy } from "./runtime-api.ts";
import { joinViews, parseServersState, parseSessions } from "./server-table.ts";

const readBackMsMax = 3_000;
const readBackPollMs = 50;

export function createHaproxyBalancer(at: HaproxyAt, nodes: readonly string[], clock: Clock): Balancer {
  const { socket, backend } = at;

  async function states(signal: AbortSignal) {
    const command = `show servers state ${backend}`;
    const answer = await askHaproxy(socket, command, signal);
    const found = parseServersState(answer, backend);
    if (!found) throw refused(socket, command, answer);
    const missing = nodes.filter((node) => !found.has(node));
    if (missing.length > 0) {
      const has = [...found.keys()].join(", ") || "none";
      const message = `HAProxy at ${socket}: backend ${backend} has no server ${missing.join(", ")} (it has: ${has}); servers are named as the fleet's nodes`;
      throw new ServiceError("rollout.fleet_invalid", message, { facts: { socket, backend } });
    }
    return found;
  }

  return {
    async observe(signal): Promise<ReadonlyMap<string, RotationView>> {
      const found = await states(signal);
      const command = "show stat";
      const answer = await askHaproxy(socket, command, signal);
      const sessions = parseSessions(answer, backend);
      if (!sessions) throw refused(socket, command, answer);
      return joinViews(found, sessions);
    },

    async setState(server: string, state: RotationState, signal: AbortSignal): Promise<void> {
      const command = `set server ${backend}/${server} state ${state}`;
      const answer = await askHaproxy(socket, command, signal);
      if (answer.trim() !== "") throw refused(socket, command, answer);
      const deadlineMs = clock.monotonicMs() + readBackMsMax;
      for (;;) {
        const found = (await states(signal)).get(server)?.state;
        if (found === state) return;
        if (clock.monotonicMs() > deadlineMs) {
          const message = `HAProxy at ${socket} took '${command}', yet says ${found ?? "nothing"}; is another program setting it?`;
          throw new ServiceError("rollout.driver_failed", message, { facts: { socket, server, state } });
        }
        await clock.sleep(readBackPollMs, signal);
      }
    },
  };
}

function refused(socket: string, command: string, answer: string): ServiceError {
  const [line = ""] = answer.trim().split("\n");
  const hint = /permission denied/i.test(line) ? "; the socket needs 'level admin'" : "";
  return new ServiceError("rollout.driver_failed", `HAProxy at ${socket} refused '${command}': ${line}${hint}`, {
    facts: { socket, command },
  });
}
