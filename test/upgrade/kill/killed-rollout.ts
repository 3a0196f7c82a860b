// One whole rollout under steady traffic, during which something is killed with -9 again and again. The rollout is started anew
// whenever it was the one that died, and must come to the same end, with no request lost that could have been served.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkImages } from "../../../demo/check-images.ts";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type FleetNode, type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { sampleImages } from "../../../demo/images.ts";
import { type RolloutProcess, startRollout } from "../../../demo/rollout-process.ts";
import { loadSamples } from "../../../demo/traffic/load.ts";
import { type Failure, Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../../demo/traffic/traffic.ts";
import type { JournalEvent } from "../../../src/rollout/journal-event.ts";
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
/** A request sent in the moment of the kill may have reached a socket that was already lost. */
const momentMs = 100;

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
    const traffic = startTraffic({ actors, requestsPerSecond: 40 });
    const { kills, boundaries } = await roll(fleet, options.killer);
    await traffic.stop();
    for (const actor of actors) actor.client.close();

    const unexcused = recorder.failures.filter((failure) => !kills.some((kill) => excuses(kill, failure)));
    assert.deepEqual(unexcused, [], `failed requests; killed: ${JSON.stringify(kills)}`);
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

type Kill = { readonly what: string; readonly atMs: number; readonly node: boolean };

/** A killed node's own requests in flight are lost; nothing else is, and nothing at all by killing the rollout. */
function excuses(kill: Kill, failure: Failure): boolean {
  return kill.node && failure.startedMs < kill.atMs + momentMs && failure.endedMs > kill.atMs - momentMs;
}

async function roll(fleet: RunningFleet, killer: Killer): Promise<{ kills: Kill[]; boundaries: Set<string> }> {
  const kills: Kill[] = [];
  const boundaries = new Set<string>();
  const health = watchHealth(fleet);
  try {
    return await rollUntilDone(fleet, killer, { kills, boundaries, health });
  } finally {
    health.stop();
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
        kills.push({ what: `rollout at ${[...boundaries].at(-1)}`, atMs: performance.now(), node: false });
        rollout?.kill("SIGKILL");
      },
      killNode(node) {
        if (!health.canSpare(node) || !killGroup(fleet, node)) return false;
        kills.push({ what: `${node.name} at ${[...boundaries].at(-1)}`, atMs: performance.now(), node: true });
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

function killGroup(fleet: RunningFleet, node: FleetNode): boolean {
  const pid = fleet.pidOf(node);
  if (pid === undefined) return false;
  try {
    process.kill(-pid, "SIGKILL");
    return true;
  } catch {
    // It has ended since it wrote its pid file.
    return false;
  }
}

type HealthWatch = {
  /** The node that the rollout works on; it may be well and yet out of rotation. */
  inHand: string | undefined;
  canSpare(node: FleetNode): boolean;
  stop(): void;
};

/** Asks every node for its health ten times a second. */
function watchHealth(fleet: RunningFleet): HealthWatch {
  const healthy = new Set<string>();
  const look = async (node: FleetNode) => {
    const answer = await fetch(`http://${node.address}/healthcheck`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) healthy.add(node.name);
    else healthy.delete(node.name);
  };
  const timer = setInterval(() => void Promise.all(fleet.nodes.map(look)), 100);
  return {
    inHand: undefined,
    canSpare(node) {
      return fleet.nodes.some((other) => other !== node && other.name !== this.inHand && healthy.has(other.name));
    },
    stop: () => clearInterval(timer),
  };
}
