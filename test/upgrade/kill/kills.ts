// What can be killed of a running fleet, when it was, and which failed requests that excuses.
import { setTimeout as sleep } from "node:timers/promises";
import type { FleetNode, RunningFleet } from "../../../demo/fleet.ts";
import { adminToken } from "../../../demo/traffic/actor.ts";
import type { Failure } from "../../../demo/traffic/recorder.ts";
import { findProcess, type ProcessView, processGroup } from "../../../src/core/process-table.ts";
import type { Crashable } from "../../servers/crashable.ts";
import { eventually } from "../../servers/eventually.ts";
import type { HealthWatch } from "./health-watch.ts";

export type Place = {
  readonly fleet: RunningFleet;
  /** The fleet's own database server; null where it must not be killed. */
  readonly server: Crashable | null;
  /** The balancer can be reloaded. */
  readonly reloads: boolean;
};

/** `costs`: which failures it excuses. `gone`: from when on all is served again, by whatever was left or came back. */
type Kill = {
  readonly what: string;
  readonly atMs: number;
  readonly costs: (failure: Failure) => boolean;
  readonly gone: Promise<number>;
};
export type Death = Omit<Kill, "gone"> & { readonly goneMs: number };

/** A request sent in the moment in which a node is gone may have reached a socket that was already lost. */
const momentMs = 100;
/** A busy machine takes its time to end a process; until then its sockets take requests. */
const endMsMax = 60_000;
/** What deploy/haproxy.cfg gives the process that a reload replaced, in milliseconds. */
const spreadMs = 10_000;
/** From the crash of a server to the first answer that needs it. */
const returnMsMax = 120_000;
/** A node that dies again and again is a bad release to the rollout, which pauses after three starts. */
const deathsMax = 2;

export class Kills {
  readonly #place: Place;
  readonly #health: HealthWatch;
  readonly #all: Kill[] = [];
  #outage: Promise<number> | null = null;
  #isReloading = false;
  readonly #deathsOf = new Map<string, number>();
  /** Which boundary the rollout passed last. */
  boundary = "its begin";
  /** How often the database went away so far. */
  outages = 0;

  constructor(place: Place, health: HealthWatch) {
    this.#place = place;
    this.#health = health;
  }

  get names(): readonly string[] {
    return this.#all.map(({ what }) => what);
  }

  /** Resolves once the database is there; at once where it is. */
  async untilBack(): Promise<void> {
    await this.#outage?.catch(() => undefined);
  }

  rollout(): void {
    const atMs = performance.now();
    this.#note("rollout", { atMs, costs: nothing, gone: Promise.resolve(atMs) });
  }

  /** False where no other node surely serves, or it has died too often already. */
  node(node: FleetNode): boolean {
    const atMs = performance.now();
    const deaths = this.#deathsOf.get(node.name) ?? 0;
    const may = deaths < deathsMax && this.#health.canSpare(node);
    const gone = may ? killGroup(this.#place.fleet, node) : undefined;
    if (gone === undefined) return false;
    this.#deathsOf.set(node.name, deaths + 1);
    this.#health.killed(node);
    this.#note(node.name, { atMs, costs: everything, gone });
    return true;
  }

  /** False where it is not the fleet's own, or is down. */
  database(): boolean {
    const { server, fleet } = this.#place;
    if (!server || this.#outage) return false;
    this.outages++;
    const atMs = performance.now();
    const gone = crashAndReturn(server, fleet).finally(() => {
      this.#outage = null;
    });
    this.#outage = gone;
    this.#note("database", { atMs, costs: everything, gone });
    return true;
  }

  /** False where it cannot be, or is under way. */
  reload(): boolean {
    if (!this.#place.reloads || this.#isReloading) return false;
    this.#isReloading = true;
    const atMs = performance.now();
    const reloaded = this.#place.fleet.reloadBalancer();
    this.#health.reloading(reloaded.then(() => sleep(spreadMs, undefined, { ref: false })));
    const ended = reloaded.finally(() => {
      this.#isReloading = false;
    });
    const gone = ended.then(() => performance.now() + spreadMs);
    this.#note("reload", { atMs, costs: idleConnections, gone });
    return true;
  }

  /** When all that was killed is gone or back. */
  async deaths(): Promise<readonly Death[]> {
    return Promise.all(this.#all.map(async (kill) => ({ ...kill, goneMs: await kill.gone })));
  }

  #note(what: string, kill: Omit<Kill, "what">): void {
    // What goes wrong with it is told by deaths().
    kill.gone.catch(() => undefined);
    this.#all.push({ ...kill, what: `${what} at ${this.boundary}` });
  }
}

/** A killed node's own requests in flight are lost, all while there is no database, and nothing at all by killing the rollout. */
const everything = () => true;
const nothing = () => false;
/** HAProxy cannot but close idle connections in the end, and HTTP/1.1 has no way to do that which a request may not cross. */
const idleConnections = ({ what }: Failure) => /socket hang up|ECONNRESET/.test(what);

export function excuses({ costs, atMs, goneMs }: Death, failure: Failure): boolean {
  return costs(failure) && failure.startedMs < goneMs + momentMs && failure.endedMs > atMs - momentMs;
}

/** What died and what failed, in the order of time. */
export function courseOf(deaths: readonly Death[], failures: readonly Failure[]): string {
  const lines = [
    ...deaths.map(({ what, atMs, goneMs }) => ({
      atMs,
      text: `killed ${what}, over after ${Math.round(goneMs - atMs)} ms`,
    })),
    ...failures.map(({ what, startedMs, endedMs }) => ({
      atMs: endedMs,
      text: `failed after ${Math.round(endedMs - startedMs)} ms: ${what.split("\n")[0]}`,
    })),
  ];
  lines.sort((one, other) => one.atMs - other.atMs);
  return lines.map(({ atMs, text }) => `${(atMs / 1_000).toFixed(1)} s: ${text}`).join("\n");
}

/** Resolves, where there was something to kill, to the time at which all of it was gone. */
function killGroup(fleet: RunningFleet, node: FleetNode): Promise<number> | undefined {
  const pid = fleet.pidOf(node);
  if (pid === undefined) return undefined;
  const members = processGroup(pid);
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended since it wrote its pid file.
    return undefined;
  }
  const isLeft = (member: ProcessView) => findProcess(member.pid)?.id === member.id;
  const gone = eventually(`all of ${node.name} is gone`, () => !members.some(isLeft), { msMax: endMsMax });
  return gone.then(() => performance.now());
}

/** Resolves to the time at which the fleet serves from the database again. */
async function crashAndReturn(server: Crashable, { origin }: RunningFleet): Promise<number> {
  await server.crash();
  await server.restart();
  const headers = { "X-Auth-Token": adminToken };
  const list = async () => (await fetch(`${origin}/v2/images?limit=1`, { headers })).ok;
  await eventually("the fleet serves again", list, { msMax: returnMsMax });
  return performance.now();
}
