// The balancer driver `haproxy`: states are set and read back through the Runtime APIs of one HAProxy or several. HAProxy forgets them when
// it is reloaded, unless it has a state file; so nothing is remembered here, and what is lost before it is read back is set again.
import type { Clock } from "../../../core/clock.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { replaceFile } from "../../replace-file.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { HaproxyAt } from "../balancer-schemas.ts";
import { allOrNamed, mergeViews } from "../merge-views.ts";
import { askHaproxy } from "./runtime-api.ts";
import {
  joinViews,
  parseFailures,
  parseServersState,
  parseSessions,
  parseUptimeMs,
  type ServerState,
} from "./server-table.ts";

const readBackMsMax = 3_000;
const readBackPollMs = 50;

export function createHaproxyBalancer(at: HaproxyAt, nodes: readonly string[], clock: Clock): Balancer {
  const all = at.sockets.map((socket) => new OneHaproxy(socket, at.backend, nodes, clock));
  return {
    async observe(signal): Promise<ReadonlyMap<string, RotationView>> {
      return mergeViews(await allOrNamed(all.map((one) => one.observe(signal))));
    },

    async setState(server, state, signal): Promise<void> {
      if (state === "ready" && all.length > 1) await allOrNamed(all.map((one) => one.endDrain(server, signal)));
      await allOrNamed(all.map((one) => one.set(server, state, signal)));
      const [first] = all;
      if (at.stateFile !== null && first) await first.save(at.stateFile, signal);
    },

    async outdatedMs(signal): Promise<number> {
      const ages = await allOrNamed(all.map((one) => one.ageMs(signal)));
      return Math.max(0, at.reloadMs - Math.min(...ages));
    },
  };
}

class OneHaproxy {
  readonly #socket: string;
  readonly #backend: string;
  readonly #nodes: readonly string[];
  readonly #clock: Clock;

  constructor(socket: string, backend: string, nodes: readonly string[], clock: Clock) {
    this.#socket = socket;
    this.#backend = backend;
    this.#nodes = nodes;
    this.#clock = clock;
  }

  async observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>> {
    const found = await this.#states(signal);
    const command = "show stat";
    const answer = await askHaproxy(this.#socket, command, signal);
    const sessions = parseSessions(answer, this.#backend);
    if (!sessions) throw this.#refused(command, answer);
    return joinViews(found, sessions, parseFailures(answer, this.#backend));
  }

  /** How long the process that answers has run: it may have replaced another one when it began. */
  async ageMs(signal: AbortSignal): Promise<number> {
    const command = "show info";
    const answer = await askHaproxy(this.#socket, command, signal);
    const ms = parseUptimeMs(answer);
    if (ms === null) throw this.#refused(command, answer);
    return ms;
  }

  /** Sets it until HAProxy says that it has it: a reload in between hands over to a process that may not know. */
  async set(server: string, state: RotationState, signal: AbortSignal): Promise<void> {
    const command = `set server ${this.#backend}/${server} state ${state}`;
    const deadlineMs = this.#clock.monotonicMs() + readBackMsMax;
    for (;;) {
      const answer = await askHaproxy(this.#socket, command, signal);
      if (answer.trim() !== "") throw this.#refused(command, answer);
      const found = (await this.#states(signal)).get(server)?.state;
      if (found === state) return;
      if (this.#clock.monotonicMs() > deadlineMs) {
        const message = `HAProxy at ${this.#socket} took '${command}', yet says ${found ?? "nothing"}; is another program setting it?`;
        const facts = { socket: this.#socket, server, state };
        throw new ServiceError("rollout.driver_failed", message, { facts });
      }
      await this.#clock.sleep(readBackPollMs, signal);
    }
  }

  /** Into maintenance where it drains: see mergeStates. */
  async endDrain(server: string, signal: AbortSignal): Promise<void> {
    if ((await this.#states(signal)).get(server)?.state === "drain") await this.set(server, "maint", signal);
  }

  /** Writes the states of all backends to where HAProxy looks for them when it is reloaded or restarted. */
  async save(file: string, signal: AbortSignal): Promise<void> {
    const command = "show servers state";
    const answer = await askHaproxy(this.#socket, command, signal);
    if (!parseServersState(answer, this.#backend)) throw this.#refused(command, answer);
    try {
      await replaceFile(file, answer);
    } catch (error) {
      const message = `HAProxy's state file ${file} cannot be written (${errorText(error)}); make its folder writable for glance-rollout, or leave balancer.state_file out`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { file }, cause: error });
    }
  }

  async #states(signal: AbortSignal): Promise<ReadonlyMap<string, ServerState>> {
    const command = `show servers state ${this.#backend}`;
    const answer = await askHaproxy(this.#socket, command, signal);
    const found = parseServersState(answer, this.#backend);
    if (!found) throw this.#refused(command, answer);
    const missing = this.#nodes.filter((node) => !found.has(node));
    if (missing.length === 0) return found;
    const has = [...found.keys()].join(", ") || "none";
    const message = `HAProxy at ${this.#socket}: backend ${this.#backend} has no server ${missing.join(", ")} (it has: ${has}); servers are named as the fleet's nodes`;
    const facts = { socket: this.#socket, backend: this.#backend };
    throw new ServiceError("rollout.fleet_invalid", message, { facts });
  }

  #refused(command: string, answer: string): ServiceError {
    const [line = ""] = answer.trim().split("\n");
    const hint = /permission denied/i.test(line) ? "; the socket needs 'level admin'" : "";
    const message = `HAProxy at ${this.#socket} refused '${command}': ${line}${hint}`;
    return new ServiceError("rollout.driver_failed", message, { facts: { socket: this.#socket, command } });
  }
}
