// The real world of a rollout: looks at the nodes, the balancer and the database, and makes the steps that were decided.
// What it remembers, starts and passed probes, is of this run alone; a new run looks, and at worst probes once more.
import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import { ServiceError } from "../core/errors.ts";
import { findBackup } from "../db/backup/backup-folder.ts";
import type { SeenNode } from "../db/repositories/node-repository.ts";
import { isReleaseId, type ReleaseId } from "../releases/catalogue.ts";
import { backUpForRollout } from "./backup/back-up.ts";
import { backupElsewhere } from "./backup/backup-elsewhere.ts";
import type { Balancer } from "./balancers/balancer.ts";
import { CanaryWatch } from "./canary/canary-watch.ts";
import type { DatabaseView } from "./database-view.ts";
import { withDeadline } from "./deadline.ts";
import type { Action, NodeStep } from "./decision.ts";
import type { Fleet } from "./fleet.ts";
import type { JournalEvent } from "./journal-event.ts";
import { askHealth } from "./node-health.ts";
import type { NodeDriver, NodeObservation } from "./nodes/node-driver.ts";
import type { FleetNode } from "./nodes/node-schemas.ts";
import { probeNode } from "./probe.ts";
import type { Done, Report, World } from "./runner.ts";
import { runSchemaPhase } from "./schema-phase.ts";
import type { NodeView, RotationView, Snapshot } from "./snapshot.ts";
import { GlanceWatch } from "./takeover/glance-watch.ts";

export type FleetParts = {
  readonly fleet: Fleet;
  readonly rolloutId: string;
  readonly drivers: ReadonlyMap<string, NodeDriver>;
  readonly balancer: Balancer;
  readonly database: DatabaseView;
  readonly databaseUrl: string;
  /** Path of a configuration file that names the database, for glance-manage; written now where there is none. */
  readonly databaseConfig: () => string;
  /** Root of the package that serves where a node has none of its own. */
  readonly packageRoot: string;
  /** The release whose package changes the schema: the newest one under way, which knows all of it. */
  readonly engineRelease: ReleaseId;
  readonly acceptLosses: boolean;
  readonly clock: Clock;
  /** What this rollout has done before, on whichever host. */
  readonly journaled: () => readonly JournalEvent[];
  /** Sees each look of a run, for a picture of it. */
  readonly onLook?: (seen: Omit<Snapshot, "memory">) => void;
};

const observeMsMax = 20_000;
const driverMsMax = 30_000;
/** Longer than a node waits for its new process by default; the software may have to be installed before, and put back afterwards. */
const handOverMsMax = 240_000;
/** A process that was to be told to stop, and after this still passes its health check, has not heard it. */
const unheardMs = 3_000;
/** While nothing of the schema was changed yet an older backup is made anew: it is what one would go back to. */
const backupFreshMs = 24 * 3_600_000;

export class FleetWorld implements World {
  readonly #parts: FleetParts;
  readonly #starts = new Map<string, number>();
  /** Processes that passed the probe. */
  readonly #proven = new Set<string>();
  /** When a node that nobody of us told to stop was first seen to be stopping. */
  readonly #stoppingSinceMs = new Map<string, number>();

  /** Only where the fleet asks for the comparison. */
  readonly #canary: CanaryWatch | undefined;
  readonly #glance: GlanceWatch;

  constructor(parts: FleetParts) {
    this.#parts = parts;
    const { fleet, clock } = parts;
    this.#glance = new GlanceWatch(fleet, parts.database);
    const addresses = new Map(fleet.nodes.map((node) => [node.name, node.address]));
    this.#canary = fleet.gates.canary
      ? new CanaryWatch({ target: fleet.target, clock, addressOf: (name) => addresses.get(name) })
      : undefined;
  }

  async observe(signal: AbortSignal): Promise<Omit<Snapshot, "memory">> {
    await this.#parts.database.hold(signal);
    const seen = await this.look(signal);
    await this.#glance.record(seen.nodes, signal);
    this.#parts.onLook?.(seen);
    return seen;
  }

  /** The same without being the rollout: takes no lock. */
  async look(signal: AbortSignal): Promise<Omit<Snapshot, "memory">> {
    const { fleet, balancer, database } = this.#parts;
    return withDeadline("looking at the fleet", observeMsMax, signal, async (limit) => {
      const looks = [
        database.look(limit),
        balancer.observe(limit),
        Promise.all(fleet.nodes.map((node) => this.#observeNode(node, limit))),
        balancer.outdatedMs?.(limit) ?? 0,
      ] as const;
      // All at once, and what is told of several failures does not depend on which came first.
      await Promise.allSettled(looks);
      const [sight, rotation, nodes, balancerOutdatedMs] = await Promise.all(looks);
      const rowOf = rowFinder(sight.rows);
      const glance = await this.#glance.look(nodes, rotation, limit);
      const views = nodes.map(({ node, seen, health }) => {
        const view = rotation.get(node.name);
        if (!view) throw new ServiceError("rollout.fleet_invalid", `the balancer has no server ${node.name}`);
        // Held out of rotation by a file, its health check says no more than that.
        const healthy = health.ok || (health.heldOut && view.state !== "ready");
        return { ...this.#toView(node, seen, healthy, view, rowOf(node, seen.pid)), ...glance.ofNode(node.name) };
      });
      const { due, request } = sight;
      const strangers = [...sight.strangers, ...glance.strangers];
      const canary = (await this.#canary?.look(views, limit)) ?? null;
      const soakedMs = this.#soakedMs();
      const contracted = this.#contracted(sight.contracted);
      const seen = { nodes: views, due, ...contracted, backup: this.#backup(due), strangers, request };
      return { ...seen, soakedMs, canary, balancerOutdatedMs };
    });
  }

  #contracted(to: ReleaseId | null): Pick<Snapshot, "contracted"> {
    const told = this.#parts.journaled().some(({ data }) => data?.do === "pause" && data.cause === "contracted");
    return to === null ? {} : { contracted: { to, told } };
  }

  async act(action: Action, report: Report, stop: AbortSignal): Promise<Done> {
    // Whoever took the fleet over since the last look must not find us at work on it.
    const signal = AbortSignal.any([stop, await this.#parts.database.confirmHeld(stop)]);
    if ("node" in action) {
      const node = this.#parts.fleet.nodes.find((one) => one.name === action.node);
      const driver = this.#parts.drivers.get(action.node);
      if (!node || !driver) throw new ServiceError("rollout.fleet_invalid", `${action.node} is not of this fleet`);
      const text = await this.#actOnNode(action.do, node, driver, signal);
      return { text, data: { release: this.#parts.fleet.target } };
    }
    if (action.do === "back-up") return this.#backUp(report, signal);
    const { fleet, databaseConfig, packageRoot, database, engineRelease, acceptLosses } = this.#parts;
    const here = fleet.nodes.flatMap((node) => (node.driver === "local" ? (node.packages?.[engineRelease] ?? []) : []));
    const root = here[0] ?? packageRoot;
    try {
      const about = {
        phase: action.do,
        target: fleet.target,
        config: databaseConfig(),
        packageRoot: root,
        acceptLosses,
      };
      return await runSchemaPhase({ ...about, report, signal });
    } finally {
      database.forgetDue();
    }
  }

  async #observeNode(node: FleetNode, signal: AbortSignal) {
    const driver = this.#parts.drivers.get(node.name);
    if (!driver) throw new ServiceError("rollout.fleet_invalid", `${node.name} has no driver`);
    const [seen, health] = await Promise.all([driver.observe(signal), askHealth(node.address, signal)]);
    if (seen.process === "gone" && health.answered) {
      // It may have ended, or been started, between the two looks; whoever still answers then is not ours to know.
      const again = await driver.observe(signal);
      if (again.process === "gone" && (await askHealth(node.address, signal)).answered) {
        const message = `${node.name}: somebody answers at ${node.address}, but the driver ${node.driver} sees no process of it; stop what runs there${node.driver === "local" ? ", or give its configuration [perennial] pid_file" : ""}`;
        throw new ServiceError("rollout.driver_failed", message, { facts: { node: node.name } });
      }
      return { node, seen: again, health: await askHealth(node.address, signal) };
    }
    return { node, seen, health };
  }

  #toView(
    node: FleetNode,
    seen: NodeObservation,
    healthy: boolean,
    rotation: RotationView,
    found: SeenNode | undefined,
  ): NodeView {
    const { name } = node;
    const row = found?.record;
    const { process, processMs } = this.#processOf(name, seen, healthy, row?.state === "draining");
    const release = row && isReleaseId(row.release) ? row.release : seen.configRelease;
    const { uploads = 0, downloads = 0, bytesLeft = null, etaSeconds = null } = row?.transfers ?? {};
    const proven = seen.processId !== null && this.#proven.has(seen.processId);
    return {
      name,
      configRelease: seen.configRelease,
      process,
      release: process === "gone" ? null : release,
      healthy: healthy && process === "running",
      processMs,
      rotation,
      transfers: row && process !== "gone" ? { count: uploads + downloads, bytesLeft, etaSeconds } : null,
      heartbeatAgeSeconds: found && process !== "gone" ? found.silentSeconds : null,
      starts: this.#starts.get(name) ?? 0,
      lastWords: seen.lastWords,
      handsOver: seen.handsOver ?? false,
      ...(seen.handOverLacks !== undefined && { handOverLacks: seen.handOverLacks }),
      gate: !this.#parts.fleet.gates.synthetic ? "off" : proven ? "passed" : "untested",
    };
  }

  #processOf(
    name: string,
    seen: NodeObservation,
    healthy: boolean,
    saysDraining: boolean,
  ): Pick<NodeView, "process" | "processMs"> {
    const unheard = seen.stopUnsure && healthy && seen.processMs > unheardMs;
    if (seen.process === "stopping") return { process: unheard ? "running" : "stopping", processMs: seen.processMs };
    if (seen.process === "running" && saysDraining && !healthy) {
      const nowMs = this.#parts.clock.monotonicMs();
      const sinceMs = this.#stoppingSinceMs.get(name) ?? nowMs;
      this.#stoppingSinceMs.set(name, sinceMs);
      return { process: "stopping", processMs: nowMs - sinceMs };
    }
    this.#stoppingSinceMs.delete(name);
    return { process: seen.process, processMs: seen.processMs };
  }

  /** From the last change of a node, or where there was none from the beginning of the rollout. Hosts' clocks may be apart: never less than 0. */
  #soakedMs(): number {
    const { journaled, clock } = this.#parts;
    const events = journaled();
    const changed = events.findLast((event) => event.kind === "result" && event.node !== undefined) ?? events[0];
    return changed ? Math.max(0, clock.nowMs() - Date.parse(changed.time)) : 0;
  }

  #backup(due: Snapshot["due"]): Snapshot["backup"] {
    const { fleet, rolloutId, clock, journaled } = this.#parts;
    const found = findBackup(fleet.backup.directory, rolloutId);
    const finishedAt = found?.manifest.finishedAt ?? backupElsewhere(journaled());
    if (finishedAt === undefined) return "missing";
    const ageMs = clock.nowMs() - Date.parse(finishedAt);
    return due === "expand" && !(ageMs < backupFreshMs) ? "missing" : "verified";
  }

  async #backUp(report: Report, signal: AbortSignal): Promise<Done> {
    const { fleet, rolloutId, database, databaseUrl } = this.#parts;
    const { directory: folder, msMax } = fleet.backup;
    const db = await database.open(signal);
    const { path, manifest } = await backUpForRollout({ db, databaseUrl, folder, rolloutId, msMax, signal, report });
    const { rows, bytes, verified, finishedAt } = manifest;
    const text = `backup proven by ${verified}: ${rows.images} images, ${bytes} bytes in ${path}`;
    return { text, data: { backup: { host: hostname(), path, finishedAt, bytes, images: rows.images } } };
  }

  async #actOnNode(step: NodeStep, node: FleetNode, driver: NodeDriver, signal: AbortSignal): Promise<string> {
    const { fleet, balancer } = this.#parts;
    const { name, address } = node;
    const within = (work: (limit: AbortSignal) => Promise<void>, msMax = driverMsMax) =>
      withDeadline(`${step} ${name}`, msMax, signal, work);
    switch (step) {
      case "drain":
        await within((limit) => balancer.setState(name, "drain", limit), balancer.actMsMax);
        return `${name} gets no new requests`;
      case "disable":
        await within((limit) => balancer.setState(name, "maint", limit), balancer.actMsMax);
        return `${name} is out of rotation`;
      case "enable":
        await within((limit) => balancer.setState(name, "ready", limit), balancer.actMsMax);
        return `${name} is in rotation`;
      case "stop":
        await within((limit) => driver.stop(limit));
        return `${name} was told to finish and exit`;
      case "cut":
        await within((limit) => driver.cut(limit));
        return `${name} was ended`;
      case "install":
        await within((limit) => driver.install(fleet.target, limit), driver.installMsMax);
        return `${name} is installed as ${fleet.target}`;
      case "start":
        this.#starts.set(name, (this.#starts.get(name) ?? 0) + 1);
        await within((limit) => driver.start(limit));
        return `${name} was started`;
      case "hand-over":
        if (!driver.handOver) throw new ServiceError("rollout.driver_failed", `the driver of ${name} cannot hand over`);
        // A new process that may be in rotation already is one that this run has started, and has to be probed.
        this.#starts.set(name, (this.#starts.get(name) ?? 0) + 1);
        await within(
          (limit) => driver.handOver?.(fleet.target, limit) ?? Promise.resolve(),
          handOverMsMax + 2 * (driver.installMsMax ?? 0),
        );
        return `${name} is served by a new process, as ${fleet.target}`;
      case "probe":
        return this.#probe(name, address, driver, signal);
    }
  }

  async #probe(name: string, address: string, driver: NodeDriver, signal: AbortSignal): Promise<string> {
    const { fleet } = this.#parts;
    const { token, msMax } = fleet.gates;
    const { processId } = await driver.observe(signal);
    const imageName = `glance-rollout probe of ${fleet.name}`;
    const text = await withDeadline(`probe ${name}`, msMax, signal, (limit) =>
      probeNode({ node: name, address, imageName, signal: limit, ...(token !== undefined && { token }) }),
    );
    if (processId !== null) this.#proven.add(processId);
    return text;
  }
}

/** The row of a node's process, by its name or its address; found without looking through the rows of all other nodes. */
function rowFinder(rows: readonly SeenNode[]): (node: FleetNode, pid: number | null) => SeenNode | undefined {
  const byPid = Map.groupBy(rows, ({ record }) => record.pid);
  return (node, pid) => {
    const own = pid === null ? [] : (byPid.get(pid) ?? []);
    return own.find(({ record }) => record.name === node.name || record.address === node.address);
  };
}
