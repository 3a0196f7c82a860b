// The balancer driver `health`, for balancers that cannot be asked or told anything but go by the nodes' health checks. A node leaves by its
// own 503: a file on its host makes its health check fail, and is also where its state is read back from. What the balancers think is
// never seen, so after each act they are given the time that they need by the operator's settings.
import type { Clock } from "../../../core/clock.ts";
import { ServiceError } from "../../../core/errors.ts";
import { askHealth } from "../../node-health.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { HealthAt } from "../balancer-schemas.ts";
import type { NodeFile } from "./node-file.ts";

export type HealthNode = { readonly name: string; readonly address: string; readonly file: NodeFile };

/** From writing the file until the node's own health check must have noticed. */
const noticeMsMax = 10_000;
const noticePollMs = 50;

/** Sessions are not seen, and told as 0: a node that is told to stop finishes what it has. */
export function createHealthBalancer(at: HealthAt, nodes: readonly HealthNode[], clock: Clock): Balancer {
  return new HealthBalancer(at, nodes, clock);
}

class HealthBalancer implements Balancer {
  readonly actMsMax: number;
  readonly #at: HealthAt;
  readonly #nodes: readonly HealthNode[];
  readonly #clock: Clock;
  /** Nodes the balancers have had time to see leave. A new run gives them that time again: the last one may have died in it. */
  readonly #left = new Set<string>();

  constructor(at: HealthAt, nodes: readonly HealthNode[], clock: Clock) {
    this.#at = at;
    this.#nodes = nodes;
    this.#clock = clock;
    this.actMsMax = Math.max(at.leaveMs, at.returnMs) + 2 * noticeMsMax;
  }

  async observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>> {
    const views = this.#nodes.map(async ({ name, address, file }) => {
      const [text, health] = await Promise.all([file.read(signal), askHealth(address, signal)]);
      return [name, { state: stateOf(text), up: health.ok, sessions: 0 }] as const;
    });
    return new Map(await Promise.all(views));
  }

  async setState(server: string, state: RotationState, signal: AbortSignal): Promise<void> {
    const node = this.#nodes.find((one) => one.name === server);
    if (!node) throw new ServiceError("rollout.driver_failed", `${server} is not a node of this fleet`);
    if (state === "ready") return this.#bringBack(node, signal);
    await node.file.write(`${state}\n`, signal);
    if (this.#left.has(server)) return;
    // One that does not answer at all is out as well.
    if (!(await this.#notices(node, false, signal))) {
      const message = `${server} still passes its health check although ${node.file.path} is there; name that file in [healthcheck] disable_by_file_path of its configuration`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { node: server, file: node.file.path } });
    }
    await this.#clock.sleep(this.#at.leaveMs, signal);
    this.#left.add(server);
  }

  async #bringBack(node: HealthNode, signal: AbortSignal): Promise<void> {
    this.#left.delete(node.name);
    if ((await node.file.read(signal)) === null) return;
    await node.file.remove(signal);
    // Where it does not pass for another reason the balancers leave it out, which observe() tells.
    if (await this.#notices(node, true, signal)) await this.#clock.sleep(this.#at.returnMs, signal);
  }

  async #notices(node: HealthNode, ok: boolean, signal: AbortSignal): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + noticeMsMax;
    while ((await askHealth(node.address, signal)).ok !== ok) {
      signal.throwIfAborted();
      if (this.#clock.monotonicMs() > deadlineMs) return false;
      await this.#clock.sleep(noticePollMs, signal);
    }
    return true;
  }
}

/** A file that an operator made by hand takes the node out just as well. */
function stateOf(text: string | null): RotationState {
  if (text === null) return "ready";
  return text.trim() === "maint" ? "maint" : "drain";
}
