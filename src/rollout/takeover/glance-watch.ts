// What a rollout knows of the Glance of its nodes beyond their processes: whether the database has the connections of one that was stopped
// still, which imports run in one that is to be stopped, and who is connected that is nobody's node. Kept in the database for contract.
import type { DatabaseView } from "../database-view.ts";
import type { Fleet } from "../fleet.ts";
import type { NodeObservation } from "../nodes/node-driver.ts";
import type { FleetNode } from "../nodes/node-schemas.ts";
import type { NodeView, RotationView, Stranger } from "../snapshot.ts";

type SeenNode = { readonly node: FleetNode; readonly seen: NodeObservation };
type Changes = Partial<
  Pick<NodeView, "process" | "healthy" | "processMs" | "transfers" | "software" | "glance" | "toInstall">
>;

export type GlanceSight = {
  /** What there is to say of a node beyond what its driver and the registry tell. */
  ofNode(name: string): Changes;
  readonly strangers: readonly Stranger[];
};

const nothing: GlanceSight = { ofNode: () => ({}), strangers: [] };
const askFreshMs = 1_000;
const recordEveryMs = 5_000;

export class GlanceWatch {
  readonly #fleet: Fleet;
  readonly #database: DatabaseView;
  readonly #isAny: boolean;
  /** Tasks under way when a node was first seen without requests, out of rotation: of those alone it can have any. */
  readonly #tasks = new Map<string, ReadonlySet<string>>();
  readonly #recorded = new Map<string, { told: string | null; atMs: number }>();
  #asked: { atMs: number; tasks: readonly string[]; connections: readonly string[] } | null = null;

  constructor(fleet: Fleet, database: DatabaseView) {
    this.#fleet = fleet;
    this.#database = database;
    this.#isAny = fleet.nodes.some((node) => node.glance !== undefined);
  }

  /** Throws db errors. */
  async look(
    nodes: readonly SeenNode[],
    rotation: ReadonlyMap<string, RotationView>,
    signal: AbortSignal,
  ): Promise<GlanceSight> {
    if (!this.#isAny) return nothing;
    const changes = new Map<string, Changes>();
    for (const { node, seen } of nodes) changes.set(node.name, await this.#ofNode(node, seen, rotation, signal));
    const isAlone = nodes.every(({ seen }) => seen.software !== "glance");
    // While one of them serves its connections are nothing to wonder about.
    const strangers = isAlone ? await this.#strangers(signal) : [];
    return { ofNode: (name) => changes.get(name) ?? {}, strangers };
  }

  /** Keeps what was seen for whoever contracts the database without us. Only for the one that holds the fleet. */
  async record(nodes: readonly NodeView[], signal: AbortSignal): Promise<void> {
    if (!this.#isAny) return;
    for (const { name, glance = null } of nodes) {
      const node = this.#fleet.nodes.find((one) => one.name === name);
      if (!node?.glance) continue;
      const before = this.#recorded.get(name);
      const isFresh =
        before && performance.now() - before.atMs < (glance === null ? Number.POSITIVE_INFINITY : recordEveryMs);
      if (isFresh && before.told === glance) continue;
      const { address } = node;
      const glances = await this.#database.glances(signal);
      await (glance === null
        ? glances.gone(name)
        : glances.saw({ name, address, release: node.glance.release, told: glance.slice(0, 255) }));
      this.#recorded.set(name, { told: glance, atMs: performance.now() });
    }
  }

  async #ofNode(
    node: FleetNode,
    seen: NodeObservation,
    rotation: ReadonlyMap<string, RotationView>,
    signal: AbortSignal,
  ): Promise<Changes> {
    const toInstall = seen.toInstall ? { toInstall: true } : {};
    if (seen.besides !== undefined) return { ...toInstall, glance: seen.besides };
    if (seen.software === "glance") {
      const about = { software: "glance", glance: seen.told ?? "a process", ...toInstall } as const;
      const view = rotation.get(node.name);
      if (view?.state === "ready" || view?.sessions !== 0) {
        this.#tasks.delete(node.name);
        return about;
      }
      const { tasks } = await this.#ask(signal);
      const begun = this.#tasks.get(node.name) ?? new Set(tasks);
      this.#tasks.set(node.name, begun);
      const count = tasks.filter((task) => begun.has(task)).length;
      return { ...about, transfers: { count, bytesLeft: null, etaSeconds: null } };
    }
    const ends = seen.process === "gone" ? (seen.connections ?? []) : [];
    if (ends.length === 0) return toInstall;
    const left = (await this.#ask(signal)).connections.filter((connection) => isOneOf(connection, ends));
    if (left.length === 0) return toInstall;
    // A statement of it may go on at the server without it.
    const glance = `gone, but the database still has its connections ${left.join(", ")}`;
    return { ...toInstall, process: "stopping", healthy: false, processMs: 0, software: "glance", glance };
  }

  async #strangers(signal: AbortSignal): Promise<readonly Stranger[]> {
    return (await this.#database.unknownConnections(signal)).map((name) => {
      return { name, release: "an unknown release", heartbeatAgeSeconds: 0, leaves: null };
    });
  }

  /** Looks come several times a second. */
  async #ask(signal: AbortSignal): Promise<{ tasks: readonly string[]; connections: readonly string[] }> {
    const nowMs = performance.now();
    if (this.#asked && nowMs - this.#asked.atMs < askFreshMs) return this.#asked;
    const glances = await this.#database.glances(signal);
    const [tasks, connections] = [await glances.tasks(), await glances.connections()];
    this.#asked = { atMs: nowMs, tasks, connections };
    return this.#asked;
  }
}

/** A server that names its clients may know the host by another name than the host itself does; the port is the same. */
export function isOneOf(connection: string, ends: readonly string[]): boolean {
  const port = portOf(connection);
  const isNamed = !/^[0-9a-f.:]+$/i.test(connection);
  return ends.some((end) => end === connection || (isNamed && portOf(end) === port));
}

function portOf(end: string): string {
  return end.slice(end.lastIndexOf(":") + 1);
}
