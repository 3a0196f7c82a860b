// One whole rollout under steady traffic, during which something is killed with -9 again and again. The rollout is started anew
// whenever it was the one that died, and must come to the same end, with no request lost that could have been served.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkImages } from "../../../demo/check-images.ts";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type FleetNode, type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { sampleImages } from "../../../demo/images.ts";
import { type RolloutProcess, startRollout } from "../../../demo/rollout-process.ts";
import { loadSamples } from "../../../demo/traffic/load.ts";
import { type Failure, Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../../demo/traffic/traffic.ts";
import { wireRollout } from "../../../src/cli/commands/rollout-parts.ts";
import { loadFleet } from "../../../src/rollout/fleet.ts";
import type { JournalEvent } from "../../../src/rollout/journal-event.ts";
import { findProcess, type ProcessView, processGroup } from "../../../src/rollout/nodes/local/process-table.ts";
import { eventually } from "../../servers/eventually.ts";
import { assertUpgraded } from "../upgraded.ts";

/** Called at each boundary: between two steps, and between a decision and its act. */
export type Killer = (boundary: string, event: JournalEvent, hands: Hands) => void;

export type Hands = {
  readonly fleet: RunningFleet;
  killRollout(): void;
  /** Kills the node's whole process group where another node surely serves; false where nothing was killed. */
  killNode(node: FleetNode): boolean;
};

export type KilledRollout = { readonly kills: readonly string[]; readonly boundaries: ReadonlySet<string> };

const projects = ["red", "green", "blue"];
const runsMax = 120;
/** A request sent in the moment in which a node is gone may have reached a socket that was already lost. */
const momentMs = 100;
/** A busy machine takes its time to end a process; until then its sockets take requests. */
const endMsMax = 60_000;

export async function rollWithKills(options: {
  database: DatabaseKind;
  balancer: "builtin" | "haproxy";
  seed: number;
  killer: Killer;
}): Promise<KilledRollout> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-kill-"));
  const fleet = await startFleet({ ...options, folder, nodes: 3 });
  const recorder = new Recorder();
  try {
    const { origin } = fleet;
    const images = sampleImages({ seed: options.seed, count: 9, projects }).slice(3);
    const samples = await loadSamples(origin, recorder, images);
    const actors = makeActors({ origin, recorder, samples, projects, seed: options.seed, count: 6 });
    await using traffic = startTraffic({ actors, requestsPerSecond: 20 });
    const { kills, boundaries } = await roll(fleet, options.killer);
    await traffic.stop();
    for (const actor of actors) actor.client.close();

    const deaths = await Promise.all(kills.map(async (kill) => ({ ...kill, goneMs: await kill.gone })));
    const unexcused = recorder.failures.filter((failure) => !deaths.some((death) => excuses(death, failure)));
    assert.equal(unexcused.length, 0, courseOf(deaths, unexcused));
    assert(recorder.failed === recorder.failures.length, "more failures than are kept");
    const checked = await checkImages({ origin, recorder, samples, actors });
    assert.deepEqual(checked.wrong, []);
    await assertUpgraded(fleet);
    return { kills: kills.map((kill) => kill.what), boundaries };
  } finally {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What died and what failed, in the order of time. */
function courseOf(deaths: readonly Death[], failures: readonly Failure[]): string {
  const lines = [
    ...deaths.map(({ what, atMs, goneMs }) => ({
      atMs,
      text: `killed ${what}, gone after ${Math.round(goneMs - atMs)} ms`,
    })),
    ...failures.map(({ what, startedMs, endedMs }) => ({
      atMs: endedMs,
      text: `failed after ${Math.round(endedMs - startedMs)} ms: ${what.split("\n")[0]}`,
    })),
  ];
  lines.sort((one, other) => one.atMs - other.atMs);
  return lines.map(({ atMs, text }) => `${(atMs / 1_000).toFixed(1)} s: ${text}`).join("\n");
}

/** `gone`: when none of its processes was left. */
type Kill = { readonly what: string; readonly atMs: number; readonly node: boolean; readonly gone: Promise<number> };
type Death = Omit<Kill, "gone"> & { readonly goneMs: number };

/** A killed node's own requests in flight are lost; nothing else is, and nothing at all by killing the rollout. */
function excuses({ node, atMs, goneMs }: Death, failure: Failure): boolean {
  return node && failure.startedMs < goneMs + momentMs && failure.endedMs > atMs - momentMs;
}

async function roll(fleet: RunningFleet, killer: Killer): Promise<{ kills: Kill[]; boundaries: Set<string> }> {
  const kills: Kill[] = [];
  const boundaries = new Set<string>();
  const health = watchHealth(fleet);
  try {
    return await rollUntilDone(fleet, killer, { kills, boundaries, health });
  } finally {
    await health.stop();
  }
}

type Course = { readonly kills: Kill[]; readonly boundaries: Set<string>; readonly health: HealthWatch };

async function rollUntilDone(fleet: RunningFleet, killer: Killer, course: Course): Promise<Course> {
  const { kills, boundaries, health } = course;
  for (let run = 1; run <= runsMax; run++) {
    let killed = false;
    let rollout: RolloutProcess | undefined;
    const hands: Hands = {
      fleet,
      killRollout() {
        killed = true;
        const atMs = performance.now();
        kills.push({ what: `rollout at ${[...boundaries].at(-1)}`, atMs, node: false, gone: Promise.resolve(atMs) });
        rollout?.kill("SIGKILL");
      },
      killNode(node) {
        const atMs = performance.now();
        const gone = health.canSpare(node) ? killGroup(fleet, node) : undefined;
        if (gone === undefined) return false;
        health.killed(node);
        kills.push({ what: `${node.name} at ${[...boundaries].at(-1)}`, atMs, node: true, gone });
        return true;
      },
    };
    const onEvent = (event: JournalEvent) => {
      health.inHand = event.node ?? health.inHand;
      const boundary = boundaryOf(event);
      // Each is used once, or a rollout that is killed at its first step would never take it.
      if (boundary === undefined || boundaries.has(boundary) || killed) return;
      boundaries.add(boundary);
      killer(boundary, event, hands);
    };
    rollout = startRollout(fleet.file, { cwd: fleet.folder, onEvent });
    const { code, stderr } = await rollout.ended;
    if (!killed) {
      assert.equal(code, 0, `the rollout ended with ${code} after ${JSON.stringify(kills)}: ${stderr}`);
      return course;
    }
  }
  assert.fail(`the rollout did not end in ${runsMax} runs`);
}

/** `decision drain n1`, `result expand`: the moments before a step is done and after it is. */
function boundaryOf(event: JournalEvent): string | undefined {
  const step = event.data?.do;
  // Waiting, pausing and being finished are no steps: nothing is done after them that a kill could interrupt.
  if (typeof step !== "string" || ["wait", "pause", "finish"].includes(step)) return undefined;
  if (event.kind !== "decision" && event.kind !== "result") return undefined;
  return [event.kind, step, ...(event.node === undefined ? [] : [event.node])].join(" ");
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

type HealthWatch = {
  /** The node that the rollout works on; it may be in rotation and about to leave it. */
  inHand: string | undefined;
  /** Whether another node surely serves: the balancer has it in rotation, and it answers itself. */
  canSpare(node: FleetNode): boolean;
  /** Nothing is known of it any more until it answers again. */
  killed(node: FleetNode): void;
  stop(): Promise<void>;
};

/**
 * Asks the balancer and every node for their health ten times a second. Only the balancer knows who is in rotation: a node that was drained
 * before another one died answers well and yet serves nobody.
 */
function watchHealth(fleet: RunningFleet): HealthWatch {
  const parts = wireRollout(loadFleet(fleet.file), { rolloutId: "watch" });
  let serving: ReadonlySet<string> = new Set();
  let kills = 0;
  const stopped = new AbortController();
  const look = async () => {
    const [views, ...well] = await Promise.all([parts.balancer.observe(stopped.signal), ...fleet.nodes.map(isWell)]);
    const inRotation = (name: string) => views.get(name)?.up === true && views.get(name)?.state === "ready";
    return new Set(fleet.nodes.map((node) => node.name).filter((name, index) => well[index] && inRotation(name)));
  };
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      const killsBefore = kills;
      const found = await look().catch(() => new Set<string>());
      // What was seen before a kill may be of the node that it ended.
      if (kills === killsBefore) serving = found;
      await sleep(100, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    inHand: undefined,
    canSpare(node) {
      return fleet.nodes.some((other) => other !== node && other.name !== this.inHand && serving.has(other.name));
    },
    killed(node) {
      kills++;
      serving = new Set([...serving].filter((name) => name !== node.name));
    },
    async stop() {
      stopped.abort();
      await watching;
      await parts.close();
    },
  };
}

async function isWell(node: FleetNode): Promise<boolean> {
  const answer = await fetch(`http://${node.address}/healthcheck`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}
