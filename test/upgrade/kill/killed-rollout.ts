// One whole rollout under steady traffic, during which something is killed with -9 again and again. The rollout is started anew
// whenever it was the one that died, and must come to the same end, with no request lost that could have been served.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkImages } from "../../../demo/check-images.ts";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type FleetNode, type FleetOptions, type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { sampleImages } from "../../../demo/images.ts";
import { type RolloutProcess, startRollout } from "../../../demo/rollout-process.ts";
import { loadSamples } from "../../../demo/traffic/load.ts";
import { Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../../demo/traffic/traffic.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import type { JournalEvent } from "../../../src/rollout/journal-event.ts";
import type { Crashable } from "../../servers/crashable.ts";
import { startCrashableMariadb } from "../../servers/mariadb.ts";
import { assertUpgraded } from "../upgraded.ts";
import { type HealthWatch, watchHealth } from "./health-watch.ts";
import { courseOf, excuses, Kills, type Place } from "./kills.ts";

/** Called at each boundary: between two steps, and between a decision and its act. */
export type Killer = (boundary: string, event: JournalEvent, hands: Hands) => void;

export type Hands = {
  readonly fleet: RunningFleet;
  killRollout(): void;
  /** Kills the node's whole process group where another node surely serves and it has not died too often; false where nothing was killed. */
  killNode(node: FleetNode): boolean;
  /** Kills the database server and starts it again; false where it is not this fleet's own, or is down. */
  crashDatabase(): boolean;
  /** Reloads the balancer; false where it cannot be, or is being reloaded. */
  reloadBalancer(): boolean;
};

export type KilledRollout = {
  readonly kills: readonly string[];
  /** Boundaries that the rollout came to, also those it still reached after the signal that killed it. */
  readonly passed: ReadonlySet<string>;
  readonly requests: number;
  /** Requests that were lost with what was killed. */
  readonly excused: number;
};

export type KillOptions = {
  readonly database: DatabaseKind;
  readonly balancer: "builtin" | "haproxy";
  readonly seed: number;
  readonly killer: Killer;
};

const projects = ["red", "green", "blue"];
const runsMax = 120;
/** Of a rollout that ended otherwise than it should. */
const eventsTold = 25;
/** How a rollout ends that finds no database: it waits for a person, or could not begin. */
const outageCodes: ReadonlySet<number> = new Set([exitCodes.paused, exitCodes.databaseUnavailable]);

export async function rollWithKills(options: KillOptions): Promise<KilledRollout> {
  return rollOn(options, {}, null);
}

/** The same on MariaDB behind HAProxy, where the server can be killed and the balancer reloaded too. */
export async function rollWithAnyKills(options: Pick<KillOptions, "seed" | "killer">): Promise<KilledRollout> {
  const server = await startCrashableMariadb();
  try {
    const connections = [await server.createDatabase()];
    const place = { database: "mariadb", balancer: "haproxy" } as const;
    return await rollOn({ ...options, ...place }, { connections, reloads: true }, server);
  } finally {
    await server.stop();
  }
}

async function rollOn(
  options: KillOptions,
  more: Pick<FleetOptions, "connections" | "reloads">,
  server: Crashable | null,
): Promise<KilledRollout> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-kill-"));
  const fleet = await startFleet({ ...options, ...more, folder, nodes: 3 });
  const recorder = new Recorder();
  try {
    const { origin } = fleet;
    const images = sampleImages({ seed: options.seed, count: 9, projects }).slice(3);
    const samples = await loadSamples(origin, recorder, images);
    const actors = makeActors({ origin, recorder, samples, projects, seed: options.seed, count: 6 });
    await using traffic = startTraffic({ actors, requestsPerSecond: 20 });
    const { kills, passed } = await roll({ fleet, server, reloads: more.reloads === true }, options.killer);
    await traffic.stop();
    for (const actor of actors) actor.client.close();

    const deaths = await kills.deaths();
    const unexcused = recorder.failures.filter((failure) => !deaths.some((death) => excuses(death, failure)));
    assert.equal(unexcused.length, 0, courseOf(deaths, unexcused));
    assert(recorder.failed === recorder.failures.length, "more failures than are kept");
    const checked = await checkImages({ origin, recorder, samples, actors });
    assert.deepEqual(checked.wrong, []);
    await assertUpgraded(fleet);
    return { kills: kills.names, passed, requests: recorder.requests, excused: recorder.failed };
  } finally {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type Course = {
  readonly kills: Kills;
  readonly passed: Set<string>;
  /** Those of `passed` at which something could be killed: each once, or a rollout that is killed at its first step would never take it. */
  readonly used: Set<string>;
};

async function roll(place: Place, killer: Killer): Promise<Pick<Course, "kills" | "passed">> {
  const health = watchHealth(place.fleet);
  const course: Course = { kills: new Kills(place, health), passed: new Set(), used: new Set() };
  try {
    for (let run = 1; run <= runsMax; run++)
      if (await runOnce(place.fleet, killer, { ...course, health })) return course;
    assert.fail(`the rollout did not end in ${runsMax} runs`);
  } finally {
    await health.stop();
  }
}

/** True where the rollout came to its end. */
async function runOnce(
  fleet: RunningFleet,
  killer: Killer,
  { kills, passed, used, health }: Course & { health: HealthWatch },
): Promise<boolean> {
  let killed = false;
  let over = false;
  let rollout: RolloutProcess | undefined;
  await kills.untilBack();
  const outagesBefore = kills.outages;
  const hands: Hands = {
    fleet,
    killRollout() {
      if (over) return;
      killed = true;
      kills.rollout();
      rollout?.kill("SIGKILL");
    },
    // What the rollout looked at for the last time after the contract, nobody would start again.
    killNode: (node) => !over && !passed.has("result contract") && kills.node(node),
    crashDatabase: () => !over && kills.database(),
    reloadBalancer: () => !over && kills.reload(),
  };
  const course: string[] = [];
  const onEvent = (event: JournalEvent) => {
    course.push(`${event.time} ${event.kind}: ${event.text}`);
    health.inHand = event.node ?? health.inHand;
    const boundary = boundaryOf(event);
    if (boundary === undefined) return;
    passed.add(boundary);
    if (used.has(boundary) || killed) return;
    used.add(boundary);
    kills.boundary = boundary;
    killer(boundary, event, hands);
  };
  rollout = startRollout(fleet.file, { cwd: fleet.folder, onEvent });
  const { code, stderr } = await rollout.ended;
  over = true;
  if (killed || code === exitCodes.ok) return !killed;
  const lostDatabase = kills.outages > outagesBefore;
  assert(
    lostDatabase && outageCodes.has(code),
    `the rollout ended with ${code} after ${kills.names.join(", ")}: ${stderr}\nlast:\n${course.slice(-eventsTold).join("\n")}`,
  );
  return false;
}

/** `decision drain n1`, `result expand`: the moments before a step is done and after it is. */
function boundaryOf(event: JournalEvent): string | undefined {
  const step = event.data?.do;
  // Waiting, pausing and being finished are no steps: nothing is done after them that a kill could interrupt.
  if (typeof step !== "string" || ["wait", "pause", "finish"].includes(step)) return undefined;
  if (event.kind !== "decision" && event.kind !== "result") return undefined;
  return [event.kind, step, ...(event.node === undefined ? [] : [event.node])].join(" ");
}
