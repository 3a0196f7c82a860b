// A fleet of two nodes that travels from release to release under one and the same traffic, from its first node's start to its last
// image's comparison. Each leg is a whole rollout by glance-rollout; nothing may fail on any of them.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkImages } from "../../../demo/check-images.ts";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type FleetOptions, type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { sampleImages } from "../../../demo/images.ts";
import { startRollout } from "../../../demo/rollout-process.ts";
import type { Actor, Kind, LoadedSample } from "../../../demo/traffic/actor.ts";
import type { Tokens } from "../../../demo/traffic/http-client.ts";
import { loadSamples } from "../../../demo/traffic/load.ts";
import { Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic, type Traffic } from "../../../demo/traffic/traffic.ts";
import type { ApiFeatures } from "../../../src/releases/api-versions.ts";
import type { ReleaseId } from "../../../src/releases/catalogue.ts";
import type { JournalEvent } from "../../../src/rollout/journal-event.ts";
import { assertUpgraded } from "../upgraded.ts";
import { standStill } from "./stand-still.ts";

const usualProjects = ["red", "green", "blue"];
/** What the servers of all processes spend on traffic is missing to the rollouts: sixty of these run in the full run. */
const requestsPerSecond = 20;
const mixPerSecond = 10;
/** Requests that both releases answer side by side, before the second node goes too. */
const mixedRequests = 60;
const mixedMsMax = 300_000;
const repairsMax = 3;

export type Leg = {
  /** Sees the rollout's journal. */
  readonly onEvent?: (event: JournalEvent) => void;
  /** Called whenever the rollout does not come to its end: sees to it that the next one can. Absent: it has to. */
  readonly repair?: (said: string) => Promise<void>;
};

/** What makes a fleet and its clients others than the demo's. */
export type Special = {
  readonly fleet?: Pick<FleetOptions, "more" | "probeToken" | "balancer">;
  readonly projects?: readonly string[];
  readonly tokens?: Tokens;
  readonly features?: ApiFeatures;
  /** Two clients more, which do nothing but this. */
  readonly mix?: readonly Kind[];
  /** Both releases serve side by side until it resolves, at least. */
  readonly whileMixed?: () => Promise<unknown>;
};

type Parts = {
  readonly special: Special;
  readonly fleet: RunningFleet;
  readonly recorder: Recorder;
  readonly samples: readonly LoadedSample[];
  readonly actors: readonly Actor[];
  readonly traffics: readonly Traffic[];
};

export class TravellingFleet {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Starts the fleet at `from` under traffic, gives it to `travel`, and then holds everything against what must have come of it. */
  static async run(
    options: {
      database: DatabaseKind;
      connections?: readonly string[];
      from: ReleaseId;
      seed: number;
      special?: Special;
    },
    travel: (fleet: TravellingFleet) => Promise<void>,
  ): Promise<{ readonly requests: number }> {
    const { seed, special = {} } = options;
    const { tokens, projects = usualProjects, mix } = special;
    const known = tokens ? { tokens } : {};
    const folder = await mkdtemp(join(tmpdir(), "perennial-pairs-"));
    const fleet = await startFleet({ ...options, folder, nodes: 2, balancer: "builtin", ...special.fleet });
    const recorder = new Recorder();
    const { origin } = fleet;
    const traffics: Traffic[] = [];
    try {
      // Without the three large ones: they are the demo's.
      const samples = await loadSamples(
        origin,
        recorder,
        sampleImages({ seed, count: 9, projects }).slice(3),
        undefined,
        tokens,
      );
      const common = { origin, recorder, samples, projects, ...known };
      const actors = makeActors({ ...common, seed, count: 6 });
      traffics.push(startTraffic({ actors, requestsPerSecond }));
      if (mix) {
        const others = makeActors({ ...common, seed: seed + 1_000, count: 2 });
        actors.push(...others);
        traffics.push(startTraffic({ actors: others, requestsPerSecond: mixPerSecond, mix }));
      }
      const travelling = new TravellingFleet({ special, fleet, recorder, samples, actors, traffics });
      await travel(travelling);
      await travelling.#arrive();
      return { requests: recorder.requests };
    } finally {
      // Where something failed it is still under way, and would never end by itself.
      const ending = Promise.all(traffics.map((traffic) => traffic.stop()));
      await fleet.stop();
      await ending;
      await rm(folder, { recursive: true, force: true });
    }
  }

  get fleet(): RunningFleet {
    return this.#parts.fleet;
  }

  /** One rollout, and where it has to be repaired further ones that go on with it. */
  async rollTo(target: ReleaseId, { onEvent = () => undefined, repair }: Leg = {}): Promise<void> {
    const { fleet, recorder, special } = this.#parts;
    await fleet.aim(target);
    const before = recorder.requests;
    let stood: Promise<void> | undefined;
    const roll = () => {
      const rollout = startRollout(fleet.file, {
        cwd: fleet.folder,
        onEvent: (event) => {
          onEvent(event);
          if (event.kind !== "result" || event.data?.do !== "enable" || stood) return;
          // The rollout stands still while the two releases serve side by side.
          stood = standStill(rollout, fleet.connection)
            .then(() =>
              Promise.all([recorder.more(mixedRequests, AbortSignal.timeout(mixedMsMax)), special.whileMixed?.()]),
            )
            .then(() => undefined)
            .finally(() => rollout.kill("SIGCONT"));
          stood.catch(() => undefined);
        },
      });
      return rollout.ended;
    };
    let ended = await roll();
    for (let turn = 1; ended.code !== 0 && repair && turn <= repairsMax; turn++) {
      await repair(ended.stderr);
      ended = await roll();
    }
    assert.equal(ended.code, 0, `the rollout to ${target} ended with ${ended.code}: ${ended.stderr}`);
    await (stood ?? assert.fail(`to ${target} the releases never served side by side`));
    assert.deepEqual(recorder.failures, [], `failed on the way to ${target}`);
    assert(recorder.requests - before > mixedRequests, "there was traffic");
    const { features, fleet: own } = special;
    await assertUpgraded(fleet, target, {
      ...(features ? { features } : {}),
      ...(own?.probeToken === undefined ? {} : { token: own.probeToken }),
    });
  }

  async #arrive(): Promise<void> {
    const { fleet, recorder, samples, actors, traffics, special } = this.#parts;
    await Promise.all(traffics.map((traffic) => traffic.stop()));
    const known = special.tokens ? { tokens: special.tokens } : {};
    const { wrong } = await checkImages({ origin: fleet.origin, recorder, samples, actors, ...known });
    for (const actor of actors) actor.client.close();
    assert.deepEqual(wrong, []);
    assert.deepEqual(recorder.failures, []);
    assert.equal(recorder.failed, 0);
  }
}
