// The balancer driver `command`: the operator's own commands say how servers stand and set it, for balancers that have no driver here.
import type { Clock } from "../../../core/clock.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { commandJson, fillIn, runCommand } from "../../run-command.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { CommandBalancerAt } from "../balancer-schemas.ts";
import { isRotationState } from "../builtin/state-file.ts";

const readBackPollMs = 200;

export function createCommandBalancer(at: CommandBalancerAt, nodes: readonly string[], clock: Clock): Balancer {
  async function run(key: "state" | RotationState, values: Readonly<Record<string, string>>, signal: AbortSignal) {
    const words = fillIn(at[key], values);
    const what = [key, values.node].filter(Boolean).join(" ");
    try {
      const { stdout } = await runCommand(words, { what, msMax: at.msMax, signal });
      return { words, stdout };
    } catch (error) {
      const message = `the balancer cannot be asked (${errorText(error)}); see that the command works by hand: balancer.${key} in the fleet file`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { key }, cause: error });
    }
  }

  async function observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>> {
    const { words, stdout } = await run("state", {}, signal);
    const views = readViews(words, commandJson("balancer.state", words, stdout));
    const missing = nodes.filter((node) => !views.has(node));
    if (missing.length === 0) return views;
    const has = [...views.keys()].join(", ") || "none";
    const message = `the command of balancer.state tells of no server ${missing.join(", ")} (it tells of: ${has}); servers are named as the fleet's nodes`;
    throw new ServiceError("rollout.fleet_invalid", message);
  }

  return {
    // Set, and then asked for until it is so.
    actMsMax: 3 * at.msMax,
    observe,
    async setState(server, state, signal): Promise<void> {
      await run(state, { node: server, state }, signal);
      const deadlineMs = clock.monotonicMs() + at.msMax;
      for (;;) {
        const found = (await observe(signal)).get(server)?.state;
        if (found === state) return;
        if (clock.monotonicMs() > deadlineMs) {
          const message = `balancer.${state} took ${server}, yet balancer.state says ${found ?? "nothing"} of it; see that the two commands speak of the same balancer`;
          throw new ServiceError("rollout.driver_failed", message, { facts: { server, state } });
        }
        await clock.sleep(readBackPollMs, signal);
      }
    },
  };
}

/** `{"n1": {"state": "ready", "up": true, "sessions": 3}, ...}`; sessions may be left out where they are not known. */
function readViews(words: readonly string[], json: unknown): ReadonlyMap<string, RotationView> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw misshapen(words, "a mapping of servers");
  return new Map(Object.entries(json).map(([name, value]) => [name, readView(words, name, value)]));
}

function readView(words: readonly string[], name: string, value: unknown): RotationView {
  const {
    state,
    up,
    sessions = 0,
  }: { state?: unknown; up?: unknown; sessions?: unknown } = typeof value === "object" && value !== null ? value : {};
  if (!isRotationState(state)) throw misshapen(words, `${name}.state as ready, drain or maint`);
  if (typeof up !== "boolean") throw misshapen(words, `${name}.up as true or false`);
  if (typeof sessions !== "number" || !Number.isSafeInteger(sessions) || sessions < 0)
    throw misshapen(words, `${name}.sessions as a number from 0`);
  return { state, up, sessions };
}

function misshapen(words: readonly string[], expected: string): ServiceError {
  const command = words.join(" ");
  const message = `balancer.state: '${command}' must print ${expected}; docs/rollout.md shows the whole form`;
  return new ServiceError("rollout.driver_failed", message, { facts: { command } });
}
